// @ts-check
import assert from 'node:assert/strict';
import { resolveObjectURL } from 'node:buffer';
import { test } from 'node:test';
import { download, pieces, readText, recallLeftOut, rememberLeftOut } from '../../public/shared/files.js';

test('the pieces of a text are the text, and an empty one is a piece too', () => {
  const text = 'ab\u00e9\ud83d\ude00'.repeat(50001);
  const cut = pieces('tale.txt', text);
  assert.deepEqual(
    cut.map(({ part, of }) => [part, of]),
    [
      [0, 3],
      [1, 3],
      [2, 3],
    ],
  );
  assert.ok(cut.every((piece) => piece.name === 'tale.txt' && piece.text.length <= 100000));
  assert.equal(cut.map((piece) => piece.text).join(''), text);
  assert.deepEqual(pieces('x', ''), [{ name: 'x', part: 0, of: 1, text: '' }]);
});

test('a file that is no UTF-8 is refused by name, with what to do', async () => {
  const file = new File([new Uint8Array([0xff, 0xfe, 0x41])], 'tale.txt');
  await assert.rejects(readText(file, 'open it again'), {
    message: '“tale.txt” is no text in UTF-8. Save it as UTF-8 text, then open it again.',
  });
});

test('a byte order mark stays in a story, and is no part of a text to train on', async () => {
  const file = new File(['\ufeffOnce'], 'tale.txt');
  assert.equal(await readText(file, 'open it again', { ignoreBOM: true }), '\ufeffOnce');
  assert.equal(await readText(file, 'bring it again'), 'Once');
});

test('pieces of base64 are bytes again, and pieces of text stay text', async (t) => {
  /** @type {{href: string, download: string, click: () => void}[]} */
  const saved = [];
  const element = () => {
    const link = { href: '', download: '', click: () => saved.push(link) };
    return link;
  };
  t.mock.timers.enable({ apis: ['setTimeout'] });
  Object.assign(globalThis, { document: { createElement: element } });
  t.after(() => Reflect.deleteProperty(globalThis, 'document'));
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  const base64 = (/** @type {Uint8Array} */ some) => Buffer.from(some).toString('base64');
  const book = { name: 'tale.epub', type: 'application/epub+zip', of: 2, base64: true };
  download({ ...book, part: 0, text: base64(bytes.subarray(0, 99)) });
  assert.equal(saved.length, 0);
  download({ ...book, part: 1, text: base64(bytes.subarray(99)) });
  download({ name: 'tale.txt', type: 'text/plain', part: 0, of: 1, text: 'é\n' });
  const blobs = saved.map(({ href }) => resolveObjectURL(href));
  assert.deepEqual(new Uint8Array((await blobs[0]?.arrayBuffer()) ?? new ArrayBuffer(0)), bytes);
  assert.equal(await blobs[1]?.text(), 'é\n');
  assert.deepEqual(
    saved.map((link) => link.download),
    ['tale.epub', 'tale.txt'],
  );
  assert.deepEqual(
    blobs.map((blob) => blob?.type),
    ['application/epub+zip', 'text/plain;charset=utf-8'],
  );
});

test('what was left out of a book is told once, and where nothing can be kept nobody is told', () => {
  Reflect.deleteProperty(globalThis, 'sessionStorage'); // newer versions of Node have one
  rememberLeftOut('1 note');
  assert.equal(recallLeftOut(), null);
  const kept = new Map();
  Object.assign(globalThis, {
    sessionStorage: {
      setItem: (/** @type {string} */ name, /** @type {string} */ value) => kept.set(name, value),
      getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
      removeItem: (/** @type {string} */ name) => kept.delete(name),
    },
  });
  rememberLeftOut('');
  assert.equal(recallLeftOut(), null);
  rememberLeftOut('3 pictures');
  assert.deepEqual([recallLeftOut(), recallLeftOut()], ['3 pictures', null]);
});
