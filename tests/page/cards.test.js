// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, cells, plain, sorted, words } from '../../public/shared/cards.js';

const CARD = `# Tales
Two lines
of words.

| a | b |
| --- | --- |
| \`c\` | d |
> a quote
    python -m x
![loss](loss.png)
## One
## Two`;

test('a card is cut where the kind of its lines changes', () => {
  assert.deepEqual(
    blocks(CARD).map(({ kind, lines }) => [kind, lines.length]),
    [
      ['head', 1],
      ['words', 2],
      ['gap', 1],
      ['row', 1],
      ['rule', 1],
      ['row', 1],
      ['quote', 1],
      ['code', 1],
      ['picture', 1],
      ['head', 1],
      ['head', 1],
    ],
  );
  assert.equal(
    blocks(CARD)
      .flatMap(({ lines }) => lines)
      .join('\n'),
    CARD,
  );
});

test('the marks of a line are taken away, and mark-up in it stays as it is written', () => {
  assert.equal(plain('## A head  '), 'A head');
  assert.equal(plain('    indented'), 'indented');
  assert.equal(words('run `make` or <b>x</b>'), 'run make or <b>x</b>');
  assert.deepEqual(cells('| `c` |  d |'), ['c', 'd']);
});

test('what is not known comes last, whichever way the models are sorted', () => {
  const line = (/** @type {string} */ key, /** @type {number | null} */ val_bpb) => ({
    key,
    val_bpb,
    ...{ parameters: null, date: null, unit: null },
  });
  const rows = [line('b', null), line('a', 2), line('c', 1)];
  const order = (/** @type {[keyof Page.ModelLine, number]} */ by) => sorted(rows, by).map(({ key }) => key);
  assert.deepEqual(order(['val_bpb', 1]), ['c', 'a', 'b']);
  assert.deepEqual(order(['val_bpb', -1]), ['a', 'c', 'b']);
  assert.deepEqual(order(['key', -1]), ['c', 'b', 'a']);
  assert.equal(rows[0].key, 'b');
});
