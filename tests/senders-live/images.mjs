// Container images built by hand, as OCI layouts, and skopeo, which pushes them.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function blob(folder, mediaType, content) {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const digest = sha256(bytes);
  writeFileSync(join(folder, 'blobs', 'sha256', digest.slice('sha256:'.length)), bytes);
  return { mediaType, digest, size: bytes.length };
}

/** An image of one platform. Other `content` is another digest. */
function image(folder, content, architecture) {
  const files = Buffer.alloc(1024); // the end of an empty tar archive
  const layer = blob(folder, LAYER, gzipSync(files));
  const config = blob(folder, CONFIG, {
    architecture,
    os: 'linux',
    config: { Labels: { content } },
    rootfs: { type: 'layers', diff_ids: [sha256(files)] },
  });
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] };
  return { ...blob(folder, MANIFEST, manifest), platform: { os: 'linux', architecture } };
}

/** Writes a layout with one image, or with the index of two; returns its folder and its digest. */
export function layout(parent, content, architectures = ['amd64']) {
  const folder = join(parent, content);
  mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}');
  const images = architectures.map((architecture) => image(folder, content, architecture));
  const whole =
    images.length === 1
      ? images[0]
      : blob(folder, INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: images });
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [whole] }));
  return { folder, digest: whole.digest, children: images.map((child) => child.digest) };
}

const skopeo = (...args) => promisify(execFile)('skopeo', ['--insecure-policy', ...args]);
const plain = ['--src-tls-verify=false', '--dest-tls-verify=false'];

export const push = (built, reference) =>
  skopeo('copy', '--all', ...plain, `oci:${built.folder}`, `docker://${reference}`);
export const copy = (from, to) => skopeo('copy', '--all', ...plain, `docker://${from}`, `docker://${to}`);
/** Deletes the manifest that the reference points at: skopeo asks for its digest and deletes that. */
export const remove = (reference) => skopeo('delete', '--tls-verify=false', `docker://${reference}`);
