// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { saveAndGoOn } from '../../public/shared/edit_row.js';
import { newStore } from '../../public/shared/store.js';

test('the model goes on from an edit only where the edit could go', () => {
  /** @type {unknown[]} */
  const sent = [];
  const edit = /** @type {const} */ ({ act: 'edit', passage: 'p', text: 'Twice' });
  const store = newStore();
  store.takes = 2;
  store.send = (_, ask) => sent.push(ask);
  store.act = () => false;
  saveAndGoOn(store, edit);
  assert.equal(sent.length, 0);
  store.act = (act) => Boolean(sent.push(act));
  saveAndGoOn(store, edit);
  assert.deepEqual(sent, [
    { ...edit, rest: false },
    { ask: 'continue', takes: 2 },
  ]);
});
