// moto's AWS services behind a proxy whose DynamoDB fails when it is told to.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { eventually, run, temporary } from './stack.mjs';

/** Starts both. While `failing` is set, each request to DynamoDB (not to its streams) is answered with 500. */
export async function dynamoDbThatFails(motoServer) {
  const log = join(temporary(), 'log');
  process.env.MOTO_ACCOUNT_ID = '000000000000'; // the local stack's
  run(motoServer, ['-p', '0'], log);
  const base = await eventually(() => /Running on (http\S*)/.exec(readFileSync(log, 'utf8'))?.[1], 60);
  const proxy = { failing: false, failed: 0 };
  const server = createServer((incoming, response) => {
    if (proxy.failing && incoming.headers['x-amz-target']?.startsWith('DynamoDB_')) {
      proxy.failed += 1;
      incoming.resume();
      response.writeHead(500, { 'Content-Type': 'application/x-amz-json-1.0' });
      response.end(
        '{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "made to fail"}',
      );
      return;
    }
    const { method, url, headers } = incoming;
    const forwarded = request(base + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    incoming.pipe(forwarded);
  }).listen(0, '127.0.0.1');
  server.unref();
  await new Promise((resolve) => server.once('listening', resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
