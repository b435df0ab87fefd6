// A registry (distribution), pushed to by skopeo, notifies the local stack. The version map and the releases are
// compared with the registry's own answers, and with its notifications, which a recorder gets as well.
// Usage: registry.mjs <moto_server>
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dynamoDbThatFails } from './faults.mjs';
import { copy, layout, push, remove } from './images.mjs';
import { check, conclude, eventually, freePort, run, Stack, temporary } from './stack.mjs';

const NAME = 'team/app';
const SECRET = 'Bearer a secret of this test';
const ACCEPTED = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
].join(', ');

class Registry {
  /** Starts a registry that notifies a stack. */
  static async start(stack) {
    const registry = new Registry();
    const folder = temporary();
    registry.port = await freePort();
    registry.debugPort = await freePort();
    registry.image = `127.0.0.1:${registry.port}/${NAME}`;
    registry.stack = stack;
    registry.component = await stack.create('/components', { name: 'app', repositories: [registry.image] });
    await stack.create(`/components/${registry.component.id}/triggers`, {
      name: 'each push',
      on: 'artifact.pushed',
    });
    const { url, id } = await stack.create('/webhook-configs', {
      name: 'registry',
      type: 'registry-push',
      provider: 'distribution',
      secret: SECRET,
      // Queued requests are tried again soon, so that the test is short.
      retryPolicy: { backoffType: 'fixed', backoffSeconds: 2 },
    });
    registry.config = id;
    const recorder = await registry.record();
    const endpoint = (name, address) =>
      `{name: ${name}, url: '${address}', headers: {Authorization: ['${SECRET}']}, timeout: 5s, threshold: 10, backoff: 1s}`;
    const settings = join(folder, 'config.yml');
    writeFileSync(
      settings,
      `version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: '${folder}/data'}, delete: {enabled: true}}
http: {addr: '127.0.0.1:${registry.port}', debug: {addr: '127.0.0.1:${registry.debugPort}'}}
notifications: {endpoints: [${endpoint('stella', url)}, ${endpoint('recorder', recorder)}]}
`,
    );
    run('docker-registry', ['serve', settings], join(folder, 'log'));
    await eventually(() => fetch(`http://127.0.0.1:${registry.port}/v2/`));
    return registry;
  }

  /** Records the registry's notifications of manifests, in the order in which they come. */
  async record() {
    this.events = [];
    const server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      this.events.push(
        ...JSON.parse(body).events.filter(
          (event) => /manifest|index/.test(event.target.mediaType) || event.action === 'delete',
        ),
      );
      response.end();
    }).listen(0, '127.0.0.1');
    server.unref();
    await new Promise((resolve) => server.once('listening', resolve));
    return `http://127.0.0.1:${server.address().port}/`;
  }

  /** The digest of each tag, as the registry answers. */
  async tags() {
    const base = `http://127.0.0.1:${this.port}/v2/${NAME}`;
    const { tags } = await (await fetch(`${base}/tags/list`)).json();
    const digests = {};
    for (const tag of (tags ?? []).sort()) {
      const answer = await fetch(`${base}/manifests/${tag}`, {
        method: 'HEAD',
        headers: { Accept: ACCEPTED },
      });
      digests[tag] = answer.headers.get('docker-content-digest');
    }
    return digests;
  }

  /** The pushes of each tag by the registry's time, without those that repeat the content before them. */
  moves() {
    const moves = {};
    const pushes = this.events.filter((event) => event.action === 'push' && event.target.tag);
    for (const { target } of pushes.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1))) {
      moves[target.tag] ??= [];
      const digests = moves[target.tag];
      if (digests.at(-1) !== target.digest) digests.push(target.digest);
    }
    return moves;
  }

  versions() {
    return this.stack.list(`/components/${this.component.id}/versions`);
  }

  /** The released digests of each tag, the oldest release first. */
  async releases() {
    const released = {};
    const releases = await this.stack.list('/releases');
    for (const { components } of releases.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))) {
      const [{ tag, digest }] = components;
      released[tag] ??= [];
      released[tag].push(digest);
    }
    return released;
  }

  /** Waits until the registry has sent all notifications. */
  async notified(step) {
    await eventually(async () => (await this.answers()).pending === 0, 300);
    check(`${step}: left in the registry`, (await this.answers()).pending, 0);
  }

  /** Waits until the map has what the registry has, and compares. */
  async compare(step) {
    const tags = await this.tags();
    const map = async () =>
      Object.fromEntries(
        (await this.versions())
          .filter((version) => !version.deletedAt)
          .map((version) => [version.tag, version.digest])
          .sort(),
      );
    await eventually(async () => JSON.stringify(await map()) === JSON.stringify(tags), 180);
    check(`${step}: tags and digests`, await map(), tags);
  }

  /** How the stack answered the registry: how many times with which status, and how often it did not. */
  async answers() {
    const { registry } = await (await fetch(`http://127.0.0.1:${this.debugPort}/debug/vars`)).json();
    const { Metrics } = registry.notifications.endpoints.find(({ name }) => name === 'stella');
    return { pending: Metrics.Pending, statuses: { ...Metrics.Statuses, none: Metrics.Errors } };
  }

  async version(tag) {
    return (await this.versions()).find((version) => version.tag === tag);
  }
}

const built = temporary();
let made = 0;
const content = (...platforms) => {
  made += 1;
  return layout(built, `content-${made}`, ...platforms);
};

/** Pushes, 25 at once. */
async function pushAll(pushes) {
  const left = [...pushes];
  const worker = async () => {
    for (let next = left.shift(); next; next = left.shift()) await push(...next);
  };
  await Promise.all(Array.from({ length: 25 }, worker));
}

/** Whether the tag's former contents are those that the registry replaced, the newest first. */
function checkHistory(step, version, moves) {
  const former = moves.slice(0, -1).reverse();
  check(
    `${step}: history`,
    version.history.map(({ digest }) => digest),
    former.slice(0, 20),
  );
  check(`${step}: dropped from the history`, version.historyDropped, Math.max(former.length - 20, 0));
  check(`${step}: current`, version.digest, moves.at(-1));
}

async function oneByOne(registry) {
  const tag = (name) => `${registry.image}:${name}`;
  const [a, b] = [content(), content()];

  await push(a, tag('v1.0.0'));
  await registry.compare('push');
  await push(a, tag('v1.0.0'));
  await registry.compare('the same push again');
  await copy(tag('v1.0.0'), tag('stable'));
  await registry.compare('retag');

  for (const step of [a, b, a]) {
    await push(step, tag('latest'));
    await registry.compare('latest');
  }
  const latest = await registry.version('latest');
  check('A, B, A: retags', latest.retags, 2);
  checkHistory('A, B, A', latest, [a.digest, b.digest, a.digest]);

  const index = content(['amd64', 'arm64']);
  await push(index, tag('multi'));
  await registry.compare('index');
  check('index: digest', (await registry.version('multi')).digest, index.digest);
  const known = (await registry.versions()).map(({ digest }) => digest);
  check(
    'index: no platform is a version',
    index.children.filter((child) => known.includes(child)),
    [],
  );

  // Two tags of one digest: to delete by digest removes both.
  const gone = content();
  await push(gone, tag('v2.0.0'));
  await copy(tag('v2.0.0'), tag('v2'));
  await registry.compare('two tags');
  await remove(tag('v2.0.0'));
  await registry.compare('delete by digest');
  await push(gone, tag('v2.0.0'));
  await registry.compare('the deleted image again');

  check('one by one: releases', await registry.releases(), {
    'v1.0.0': [a.digest],
    stable: [a.digest],
    latest: [a.digest, b.digest, a.digest],
    multi: [index.digest],
    'v2.0.0': [gone.digest, gone.digest],
    v2: [gone.digest],
  });
}

/** 40 tags, then 40 contents of one tag, 25 pushes at once, while the stack `fail`s, seen as `expected`. */
async function manyAtOnce(registry, step, expected, fail) {
  const contents = Array.from({ length: 40 }, () => content());
  // The layer, which all images share: the registry answers 500 when many clients upload it at once.
  await push(content(), `${registry.image}:first`);
  await registry.notified(step);
  const numbered = contents.map((each, n) => [each, `${registry.image}:n${n}`]);
  await Promise.all([fail(), pushAll(numbered)]);
  await registry.notified(step);
  await Promise.all([fail(), pushAll(contents.map((each) => [each, `${registry.image}:busy`]))]);
  // With 25 pushes of one tag at once the registry's tag and its events may disagree; after one more they agree.
  await sleep(1000);
  await push(content(), `${registry.image}:busy`);
  await registry.notified(step);
  await registry.compare(step);

  // The queue may still have older pushes, which must change neither the tag nor the releases.
  await eventually(async () => {
    const { retags, history, historyDropped } = await registry.version('busy');
    return history.length + historyDropped === registry.moves().busy.length - 1 && retags;
  }, 180);
  await sleep(2000);
  await registry.compare(`${step}, later`);
  const moves = registry.moves();
  checkHistory(`${step}: busy`, await registry.version('busy'), moves.busy);
  const { busy, ...others } = await registry.releases();
  for (const [tag, digests] of Object.entries(others)) {
    if (/^n\d/.test(tag)) check(`${step}: releases of ${tag}`, digests, moves[tag]);
  }
  check(`${step}: tags with a release`, Object.keys(others).filter((tag) => /^n\d/.test(tag)).length, 40);
  check(`${step}: last release of busy`, busy.at(-1), moves.busy.at(-1));
  const order = busy.map((digest) => moves.busy.indexOf(digest));
  check(
    `${step}: releases of busy in the order of the pushes`,
    order,
    order.toSorted((a, b) => a - b),
  );
  const { statuses } = await registry.answers();
  check(`${step}: ${expected} was seen`, statuses[expected] > 0, true);
  console.log(`${step}: ${busy.length} releases of ${moves.busy.length} contents of busy; answers`, statuses);
}

{
  const registry = await Registry.start(await Stack.start());
  await oneByOne(registry);
  await manyAtOnce(registry, 'killed', 'none', async () => {
    await sleep(500);
    await registry.stack.kill();
    await sleep(2500);
    await registry.stack.restart();
  });
}
{
  const dynamoDb = await dynamoDbThatFails(process.argv[2]);
  const registry = await Registry.start(await Stack.start(['--aws-endpoint', dynamoDb.url]));
  await manyAtOnce(registry, 'DynamoDB fails', '202 Accepted', async () => {
    for (let n = 0; n < 4; n += 1) {
      await sleep(400);
      dynamoDb.failing = true;
      await sleep(1500);
      dynamoDb.failing = false;
    }
  });
  console.log(`DynamoDB failed ${dynamoDb.failed} requests`);
}
conclude('registry');
