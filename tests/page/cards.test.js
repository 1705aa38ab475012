// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, cells, parted, plain, sorted, words } from '../../public/shared/cards.js';

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
    ...{ parameters: null, date: null, unit: null, judged: null },
  });
  const rows = [line('b', null), line('a', 2), line('c', 1)];
  const order = (/** @type {[import('../../public/shared/cards.js').Column, number]} */ by) =>
    sorted(rows, by).map(({ key }) => key);
  assert.deepEqual(order(['val_bpb', 1]), ['c', 'a', 'b']);
  assert.deepEqual(order(['val_bpb', -1]), ['a', 'c', 'b']);
  assert.deepEqual(order(['key', -1]), ['c', 'b', 'a']);
  assert.equal(rows[0].key, 'b');
});

test('by bits per byte only models that were judged on the same text are ordered', () => {
  const on = (/** @type {string} */ name) => ({ name: `${name}.txt`, id: name });
  const row = { parameters: null, date: null, unit: null, judged: null };
  const rows = [
    { ...row, key: 'lone', val_bpb: 0.1, judged: on('x') },
    { ...row, key: 'worse', val_bpb: 3, judged: on('y') },
    { ...row, key: 'unknown', val_bpb: 0.2, judged: null },
    { ...row, key: 'better', val_bpb: 2, judged: on('y') },
    { ...row, key: 'never', val_bpb: null, judged: on('y') },
  ];
  const shown = (/** @type {[import('../../public/shared/cards.js').Column, number]} */ by) =>
    parted(rows, by).map((part) => [part.head, part.rows.map(({ key }) => key).join(' ')]);
  const unknown = 'Not judged, or on a text that is not known: compared with none';
  assert.deepEqual(shown(['val_bpb', 1]), [
    ['Judged on y.txt', 'better worse'],
    ['Judged on x.txt', 'lone'],
    [unknown, 'never unknown'],
  ]);
  assert.equal(shown(['val_bpb', -1])[0][1], 'worse better');
  assert.deepEqual(shown(['key', 1]), [['', 'better lone never unknown worse']]);
});
