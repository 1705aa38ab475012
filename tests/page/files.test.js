// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pieces, readText } from '../../public/shared/files.js';

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
