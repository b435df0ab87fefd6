// Posts GitHub's bodies, as collected in @octokit/webhooks-examples, signed, and compares what each becomes with
// octokit.txt. Usage: octokit.mjs [--update | --show]; --show prints what is read from each body.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { check, conclude, post, Stack } from './stack.mjs';

const installed = join(process.cwd(), 'target/senders-live/node_modules');
const require = createRequire(`${installed}/`);
const { sign } = await import(`${installed}/@octokit/webhooks-methods/dist-node/index.js`);
const SETS = ['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35'];
const SNAPSHOT = join(import.meta.dirname, 'octokit.txt');
const SECRET = 'a secret of this test';

const stack = await Stack.start(['--ephemeral']);
const config = { type: 'github-app', provider: 'auto', secret: SECRET };
const counts = new Map();
let posted = 0;

for (const set of SETS) {
  const { id, url } = await stack.create('/webhook-configs', { name: set, ...config });
  for (const { name, examples } of require(`@octokit/webhooks-examples/${set}/index.json`)) {
    for (const example of examples) {
      posted += 1;
      const body = JSON.stringify(example);
      const headers = {
        'X-GitHub-Event': name,
        'X-GitHub-Delivery': `${posted}`,
        'X-Hub-Signature-256': await sign(SECRET, body),
      };
      const { events, decisions } = await stack.create(`/webhook-configs/${id}/preview`, {
        headers,
        body: example,
      });
      const answer = await post(url, body, headers);
      check(`${set} ${name}: status of ${answer.text ?? JSON.stringify(answer)}`, answer.status, 200);
      const kinds = events.map(({ kind, scope }) => (scope ? `${kind} (${scope})` : kind));
      const becomes =
        kinds.join(', ') || (answer.action === 'ignored' ? `ignored: ${answer.reason}` : answer.action);
      const line = [name, example.action ?? '', becomes].join(' | ');
      counts.set(line, (counts.get(line) ?? 0) + 1);
      if (process.argv.includes('--show')) {
        console.log(
          set,
          name,
          example.action ?? '',
          answer.action,
          JSON.stringify(events.map(({ payload, ...event }) => event)),
          JSON.stringify(decisions),
        );
      }
    }
  }
}

const table = [...counts]
  .map(([line, count]) => `${line} | ${count}\n`)
  .sort()
  .join('');
if (process.argv.includes('--update')) writeFileSync(SNAPSHOT, table);
else check('what the bodies become', table.split('\n'), readFileSync(SNAPSHOT, 'utf8').split('\n'));
console.log(`${posted} bodies of GitHub`);
conclude('octokit');
