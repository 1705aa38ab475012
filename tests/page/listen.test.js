// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reader, wholeSentences } from '../../public/shared/listen.js';

/**
 * @param {string} id
 * @param {string} text
 * @param {Partial<Page.Passage>} [more]
 * @returns {Page.Passage}
 */
const passage = (id, text, more = {}) => ({
  ...{ id, author: /** @type {const} */ ('model'), place: 1, places: 1, facts: null, finish: null },
  ...{ tokens: text.match(/\s*\S+|\s+/g) ?? [], odds: [], own: null },
  ...more,
});
const hers = passage('hers', 'Once there was a fox.', { author: 'writer' });
/** @type {any} */
const ENDED = { ending: 'came to its end' };
const writing = (/** @type {Page.Passage[]} */ ...passages) => ({ passages, takes: [], writing: true });
const still = (/** @type {Page.Passage[]} */ ...passages) => ({ ...writing(...passages), writing: false });

test('a sentence is heard when it is whole, and every word of the model once', () => {
  const reader = new Reader();
  const heard = [
    still(),
    writing(hers),
    writing(hers, passage('its', ' He was')),
    writing(hers, passage('its', ' He was red. He')),
    writing(hers, passage('its', ' He was red. He ran.')),
    still(hers, passage('its', ' He was red. He ran. And', { facts: ENDED })),
    still(hers, passage('its', ' He was red. He ran. And', { facts: ENDED })),
  ].map((state) => reader.hear(state));
  assert.deepEqual(heard, ['', '', '', 'He was red.', '', 'He ran. And (came to its end)', '']);
});

test('a passage that is written anew is heard from its beginning, and the one before it not again', () => {
  const reader = new Reader();
  reader.hear(still(hers, passage('its', ' He was red.')));
  assert.equal(reader.hear(writing(hers, passage('its', ' He was red.'))), '');
  assert.equal(reader.hear(writing(hers)), '');
  assert.equal(reader.hear(still(hers, passage('new', ' She was grey.'))), 'She was grey.');
});

test('what was written before anybody listened for it is heard when it is done', () => {
  const reader = new Reader();
  reader.hear(still(hers));
  reader.writes();
  assert.equal(reader.hear(still(hers, passage('its', ' He was red. He ran.'))), 'He was red. He ran.');
});

test('after a change without the model one hears where the story ends', () => {
  const reader = new Reader();
  reader.hear(still(hers, passage('its', ' He was red. He ran.')));
  const other = passage('other', ' She was grey. She sat.', { place: 2, places: 2 });
  assert.equal(reader.hear(still(hers, other)), 'Version 2 of 2. The story ends: She sat.');
  assert.equal(reader.hear(still(hers)), 'The story ends: Once there was a fox.');
  assert.equal(reader.hear(still()), 'The page is blank');
});

test('versions side by side are not read out together', () => {
  const reader = new Reader();
  const takes = ['a', 'b'].map((id) => ({ ...passage(id, ' He ran. He'), label: '', facts: ENDED }));
  reader.hear(still(hers));
  assert.equal(reader.hear({ ...writing(hers), takes }), '');
  assert.match(reader.hear({ ...still(hers), takes }), /Pick one of these 2/);
});

test('the sentences of every script are told apart', () => {
  assert.equal(wholeSentences('老王来了。他'), 5);
  assert.equal(wholeSentences('“Go!” she said. And'), 16);
  assert.equal(wholeSentences('no end'), 0);
});
