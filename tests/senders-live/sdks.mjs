// The SDKs of CloudEvents and of Standard Webhooks, as senders.
import { createRequire } from 'node:module';
import { check, conclude, post, Stack } from './stack.mjs';

const require = createRequire(`${process.cwd()}/target/senders-live/node_modules/`);
const { CloudEvent, emitterFor, HTTP, httpTransport, Mode } = require('cloudevents');
const { Webhook } = require('standardwebhooks');

const stack = await Stack.start(['--ephemeral']);
const component = await stack.create('/components', {
  name: 'app',
  repositories: ['ghcr.io/team/app'],
  sourceRepositories: ['github.com/team/app'],
});
await stack.create(`/components/${component.id}/triggers`, { name: 'each push', on: 'artifact.pushed' });
await stack.create(`/components/${component.id}/triggers`, {
  name: 'each pipeline',
  on: 'ci.finished',
  releaseName: '{component}-{commit}',
});
const config = (members) => stack.create('/webhook-configs', { name: 'a sender', ...members });
const digest = (letter) => `sha256:${letter.repeat(64)}`;
const receipts = ({ id }) => stack.list(`/webhook-configs/${id}/receipts`);

/** The last receipt of a config: the SDK's own transport does not return the status. */
async function last(of) {
  const { action, kind, tag, reason } = (await receipts(of))[0] ?? {};
  return [action, kind, tag, reason].filter(Boolean).join(' ');
}

async function cloudEvents() {
  const cdEvent = (id, tag, letter) => {
    const type = 'dev.cdevents.artifact.published.0.2.0';
    const time = new Date().toISOString();
    const subject = `pkg:oci/app@sha256%3A${letter.repeat(64)}?repository_url=ghcr.io%2Fteam%2Fapp&tag=${tag}`;
    return new CloudEvent({
      id,
      type,
      source: '/ci',
      time,
      subject,
      data: {
        context: { version: '0.4.1', id, source: '/ci', type, timestamp: time },
        subject: { id: subject, source: '/ci', type: 'artifact', content: {} },
      },
    });
  };
  for (const provider of ['cdevents', 'auto']) {
    const to = await config({ type: 'ci-pipeline', provider, authentication: 'none' });
    const send = (mode) => emitterFor(httpTransport(to.url), { mode });
    const event = cdEvent(`1-${provider}`, `v1-${provider}`, 'a');
    await send(Mode.BINARY)(event);
    check(`${provider}: binary`, await last(to), `processed artifact.pushed v1-${provider}`);
    await send(Mode.STRUCTURED)(event);
    check(`${provider}: the same, structured`, await last(to), `duplicate artifact.pushed v1-${provider}`);
    await send(Mode.STRUCTURED)(cdEvent(`2-${provider}`, `v2-${provider}`, 'b'));
    check(`${provider}: structured`, await last(to), `processed artifact.pushed v2-${provider}`);
    await send(Mode.BINARY)(cdEvent(`3-${provider}`, `v2-${provider}`, 'c'));
    check(`${provider}: other content`, await last(to), `processed artifact.pushed v2-${provider}`);
    const other = new CloudEvent({ type: 'com.example.other', source: '/x', data: { text: 'ü' } });
    for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
      await send(mode)(other);
      check(`${provider}: another type, ${mode}`, (await last(to)).split(' ')[0], 'ignored');
    }
  }
  await tekton();
}

async function tekton() {
  const result = (name, value) => ({ name, value });
  const run = (uid, commit) => ({
    metadata: {
      uid,
      name: uid,
      annotations: {
        'pipelinesascode.tekton.dev/repo-url': 'https://github.com/team/app',
        'pipelinesascode.tekton.dev/sha': commit.repeat(40),
        'pipelinesascode.tekton.dev/branch': 'refs/heads/main',
      },
    },
    status: {
      completionTime: '2026-01-01T00:00:00Z',
      conditions: [{ type: 'Succeeded', status: 'True', reason: 'Completed' }],
      results: [result('IMAGE_URL', 'ghcr.io/team/app:v3'), result('IMAGE_DIGEST', digest('d'))],
    },
  });
  const type = 'dev.tekton.event.pipelinerun.successful.v1';
  const event = (id, uid, commit) =>
    new CloudEvent({ id, type, source: '/apis/pipelineruns/x', data: { pipelineRun: run(uid, commit) } });
  for (const [provider, first, second] of [
    ['tekton', 'a', 'b'],
    ['auto', 'c', 'd'],
  ]) {
    const to = await config({ type: 'ci-pipeline', provider, authentication: 'none' });
    const send = (mode) => emitterFor(httpTransport(to.url), { mode });
    const one = event(`t1-${provider}`, `u1-${provider}`, first);
    await send(Mode.BINARY)(one);
    check(`tekton as ${provider}: binary`, await last(to), 'processed ci.finished v3');
    await send(Mode.STRUCTURED)(one);
    check(`tekton as ${provider}: the same, structured`, await last(to), 'duplicate ci.finished v3');
    await send(Mode.STRUCTURED)(event(`t2-${provider}`, `u2-${provider}`, second));
    check(`tekton as ${provider}: structured`, await last(to), 'processed ci.finished v3');
  }
}

async function signedCloudEvents() {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLMMM';
  const to = await config({
    type: 'generic',
    provider: 'generic',
    authentication: 'standardWebhooks',
    secret,
    mapping: {
      kind: 'artifact.pushed',
      repository: '$.data.image',
      tag: '$.data.tag',
      digest: '$.data.digest',
    },
  });
  const event = new CloudEvent({
    type: 'com.example.image',
    source: '/ci',
    data: { image: 'ghcr.io/team/app', tag: 'v4', digest: digest('e') },
  });
  const { headers, body } = HTTP.structured(event);
  const at = new Date();
  const signed = (text) => ({
    ...headers,
    'webhook-id': event.id,
    'webhook-timestamp': `${Math.floor(at / 1000)}`,
    'webhook-signature': new Webhook(secret).sign(event.id, at, text),
  });
  const { status, action } = await post(to.url, body, signed(body));
  check('a signed CloudEvent', [status, action], [200, 'processed']);
  check('the same again', (await post(to.url, body, signed(body))).action, 'duplicate');
  check(
    'changed after it was signed',
    (await post(to.url, body.replace('v4', 'v5'), signed(body))).status,
    401,
  );
}

const image = (tag, letter) => ({
  kind: 'artifact.pushed',
  repository: 'ghcr.io/team/app',
  tag,
  digest: digest(letter),
});
const keyOf = (text) => `whsec_${Buffer.from(text.padEnd(32, '.')).toString('base64')}`;

/** Returns a function that sends a body to a config, signed, and checks the answer. */
function sender(to, secret) {
  return async (
    what,
    expected,
    id,
    body,
    { minutes = 0, key = secret, change = (headers) => headers } = {},
  ) => {
    const text = JSON.stringify(body);
    const at = new Date(Date.now() + minutes * 60_000);
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': `${Math.floor(at / 1000)}`,
      'webhook-signature': new Webhook(key).sign(id, at, text),
    };
    const { status, action, versionsAdded } = await post(to.url, text, change(headers));
    const result = action === 'processed' && versionsAdded === 0 ? 'nothing new' : action;
    check(what, [status, result].filter(Boolean).join(' '), expected);
  };
}

async function standardWebhooks() {
  const secret = keyOf('the key of this test');
  const to = await config({
    type: 'generic',
    provider: 'generic',
    authentication: 'standardWebhooks',
    secret,
  });
  const send = sender(to, secret);

  await send('fresh', '200 processed', 'm1', image('w1', 'a'));
  await send('the same again', '200 duplicate', 'm1', image('w1', 'a'));
  await send('same id, other body', '200 duplicate', 'm1', image('w1', 'b'));
  await send('other id, same body', '200 nothing new', 'm2', image('w1', 'a'));
  await send('other id, other content', '200 processed', 'm3', image('w1', 'b'));
  await send('back to the first', '200 processed', 'm4', image('w1', 'a'));
  for (const [minutes, expected] of [
    [-4.9, '200 duplicate'],
    [4.9, '200 duplicate'],
    [-5.1, '401'],
    [5.1, '401'],
  ]) {
    await send(`${minutes} minutes off`, expected, 'm4', image('w1', 'a'), { minutes });
  }
  await send('not ASCII', '200 processed', 'm5', { ...image('w2', 'c'), pusher: 'Zoë 🚀' });

  const signature = (change) => ({
    change: (headers) => ({ ...headers, 'webhook-signature': change(headers['webhook-signature']) }),
  });
  const header = (name, value) => ({ change: (headers) => ({ ...headers, [name]: value }) });
  const refused = image('w3', 'd');
  await send('another key', '401', 'm6', refused, { key: keyOf('another key') });
  await send(
    'another version',
    '401',
    'm7',
    refused,
    signature((good) => good.replace('v1,', 'v2,')),
  );
  await send('another id than the signed one', '401', 'm8', refused, header('webhook-id', 'm9'));
  await send('no time', '401', 'm10', refused, header('webhook-timestamp', 'now'));
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
    const change = ({ [name]: _, ...headers }) => headers;
    await send(`without ${name}`, '401', 'm11', refused, { change });
  }
  const several = signature((good) => `v1a,AAAA v1,AAAA ${good}`);
  await send('several signatures', '200 processed', 'm12', image('w4', 'd'), several);

  const versions = await stack.list(`/components/${component.id}/versions`);
  const w1 = versions.find(({ tag }) => tag === 'w1');
  const former = w1.history.map((content) => content.digest);
  check('A, B, A', [w1.digest, w1.retags, former], [digest('a'), 2, [digest('b'), digest('a')]]);
  const tags = versions.map(({ tag }) => tag).filter((tag) => tag.startsWith('w'));
  check('tags', tags.sort(), ['w1', 'w2', 'w4']);
}

async function rotation() {
  const [old, next] = [keyOf('the old key'), keyOf('the next key')];
  const to = await config({
    type: 'generic',
    provider: 'generic',
    authentication: 'standardWebhooks',
    secret: old,
  });
  const send = sender(to, old);
  await send('before the rotation', '200 processed', 'r1', image('r1', 'a'));
  await stack.call('PATCH', `/webhook-configs/${to.id}`, { secret: next });
  await send('the new key', '200 processed', 'r2', image('r2', 'a'), { key: next });
  await send('the old key, in its grace period', '200 processed', 'r3', image('r3', 'a'));
}

await cloudEvents();
await signedCloudEvents();
await standardWebhooks();
await rotation();
conclude('sdks');
