// The local stack as a process of its own, its API, and the checks of these scripts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();
const folders = [];
let differences = 0;

/** Starts a program that the end of this script kills. Its output goes to the file `log`. */
export function run(program, args, log) {
  const out = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', out, out] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** A folder that the end of this script deletes. */
export function temporary() {
  const folder = mkdtempSync(join(tmpdir(), 'senders-live-'));
  folders.push(folder);
  return folder;
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Calls `get` until its answer is not empty, for `seconds` at most; returns the last answer. */
export async function eventually(get, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await Promise.resolve()
      .then(get)
      .catch(() => undefined);
    if (answer || Date.now() > end) return answer;
    await sleep(100);
  }
}

/** Prints what differs from what is expected. */
export function check(what, got, expected) {
  const [one, other] = [JSON.stringify(got), JSON.stringify(expected)];
  if (one === other) return;
  differences += 1;
  console.log(`DIFFERENT: ${what}\n  got      ${one}\n  expected ${other}`);
}

/** The last line of a script. */
export function conclude(name) {
  console.log(`${name}: ${differences === 0 ? 'as expected' : `${differences} differences`}`);
  process.exit(differences === 0 ? 0 : 1);
}

export class Stack {
  /** `args` are further options of the stack. The data folder outlives a kill. */
  static async start(args = []) {
    const stack = new Stack();
    stack.folder = temporary();
    stack.port = await freePort();
    stack.args = args;
    await stack.restart();
    return stack;
  }

  async restart() {
    const log = join(this.folder, `log-${Date.now()}`);
    this.child = run(
      'target/release/local',
      ['--port', this.port, '--data-dir', join(this.folder, 'data'), ...this.args],
      log,
    );
    const greeting = await eventually(() => {
      if (this.child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'));
      const text = readFileSync(log, 'utf8');
      return text.includes('portal: ') && text;
    }, 60);
    if (!greeting) throw new Error(`The stack does not start: ${readFileSync(log, 'utf8')}`);
    this.url = `http://127.0.0.1:${this.port}`;
    this.key = /^tenant key: (.*)$/m.exec(greeting)[1];
  }

  async kill() {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  async call(method, path, body) {
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  async create(path, body) {
    return (await this.call('POST', path, body)).data;
  }

  async get(path) {
    return (await this.call('GET', path)).data;
  }

  /** All rows of a list. */
  async list(path) {
    const rows = [];
    const separator = path.includes('?') ? '&' : '?';
    for (let cursor = ''; ; ) {
      const page = await this.call('GET', `${path}${separator}pageSize=100${cursor}`);
      rows.push(...page.data);
      if (!page.pagination.hasMore) return rows;
      cursor = `&cursor=${encodeURIComponent(page.pagination.nextCursor)}`;
    }
  }
}

/** Posts a sender's request; returns its status and its answer, if that is JSON. */
export async function post(url, body, given = {}) {
  const headers = new Headers({ 'Content-Type': 'application/json' });
  for (const [name, value] of Object.entries(given)) headers.set(name, value);
  const answer = await fetch(url, { method: 'POST', headers, body });
  const text = await answer.text();
  try {
    return { status: answer.status, ...JSON.parse(text) };
  } catch {
    return { status: answer.status, text };
  }
}
