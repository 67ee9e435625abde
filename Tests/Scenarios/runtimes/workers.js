// Workers over shared memory, files by promises and streams, timers, a pipe to oneself, signals.
'use strict';
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const fs = require('fs'), os = require('os'), path = require('path'), zlib = require('zlib'), crypto = require('crypto');

if (!isMainThread) {
  const cells = new Int32Array(workerData.cells);
  for (let i = 0; i < 1000; i++) Atomics.add(cells, 0, 1);
  Atomics.wait(cells, 1, 0);
  parentPort.postMessage(workerData.number * 2);
} else {
  main().catch((error) => { console.log('failed', error.code || error.message); process.exitCode = 1; });
}

async function main() {
  const cells = new Int32Array(new SharedArrayBuffer(8));
  let sum = 0;
  const ended = [];
  for (let number = 1; number <= 4; number++) {
    const worker = new Worker(__filename, { workerData: { number, cells: cells.buffer } });
    worker.on('message', (value) => { sum += value; });
    ended.push(new Promise((resolve) => worker.on('exit', resolve)));
  }
  while (Atomics.load(cells, 0) < 4000) await new Promise((resolve) => setTimeout(resolve, 5));
  Atomics.store(cells, 1, 1);
  Atomics.notify(cells, 1);
  console.log('workers', (await Promise.all(ended)).join(), sum, cells[0]);

  const folder = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'node-'));
  const file = path.join(folder, 'a file');
  await fs.promises.writeFile(file, 'hello\n');
  await fs.promises.appendFile(file, 'more\n');
  await fs.promises.copyFile(file, file + '2');
  await fs.promises.rename(file + '2', path.join(folder, 'b'));
  await fs.promises.symlink('b', path.join(folder, 'link'));
  console.log('files', fs.readdirSync(folder).join(), fs.readlinkSync(path.join(folder, 'link')), fs.statSync(file).size);
  const packed = path.join(folder, 'z'), big = crypto.createHash('sha256').update('x').digest().toString('hex').repeat(5000);
  await require('stream/promises').pipeline(require('stream').Readable.from([big]), zlib.createGzip(), fs.createWriteStream(packed));
  console.log('streams', zlib.gunzipSync(fs.readFileSync(packed)).toString() === big);
  try { fs.readFileSync(path.join(folder, 'none')); } catch (error) { console.log('error', error.code); }
  await fs.promises.rm(folder, { recursive: true });
  console.log('removed', fs.existsSync(folder));

  const held = setInterval(() => {}, 1000); // a signal that is waited for keeps nothing alive
  const signalled = new Promise((resolve) => process.once('SIGUSR2', () => resolve('SIGUSR2')));
  process.kill(process.pid, 'SIGUSR2');
  console.log('signal', await signalled);
  clearInterval(held);
  const hashes = await Promise.all([1, 2, 3, 4, 5, 6].map((i) => new Promise((resolve, reject) =>
    crypto.pbkdf2('key' + i, 'salt', 1000, 8, 'sha256', (error, key) => error ? reject(error) : resolve(key.toString('hex'))))));
  console.log('pool', hashes.join());
}
