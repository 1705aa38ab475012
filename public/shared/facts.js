// @ts-check
// How a passage came to be: beside it in the story, and below the story for the one that is looked at.
import { make } from './dom.js';

/**
 * The facts in words.
 *
 * @param {Page.Facts} facts
 * @returns {{about: string, settings: {name: string, label: string, value: string}[], made: string}}
 *   about: what follows the model's name. made: how much it wrote, how fast and with what; "" while it still writes.
 */
export const factsInWords = (facts) => {
  const about = [facts.ending, facts.moved && 'the words before it were changed since'].filter(Boolean);
  const seed = facts.seed === null ? [] : [{ name: 'seed', label: 'Seed', value: facts.seed }];
  const rate = facts.rate ? ` · ${facts.rate} a second` : '';
  const core = facts.core ? ` · ${facts.core}` : '';
  return {
    about: about.map((each) => ` · ${each}`).join(''),
    settings: [...facts.settings, ...seed],
    made: facts.ending ? `${facts.tokens}${facts.tokens === 1 ? ' token' : ' tokens'}${rate}${core}` : '',
  };
};

/**
 * Draw the facts into a node, whatever it held before.
 *
 * @param {Element} node
 * @param {Page.Facts} facts
 */
export const drawFacts = (node, facts) => {
  const { about, settings, made } = factsInWords(facts);
  const head = make('p', 'facts-head');
  head.append(make('b', '', facts.model), about);
  const list = make('p', 'facts-settings');
  list.append(
    ...settings.map(({ name, label, value }) => {
      const item = make('span', '', `${label} `);
      item.dataset.setting = name;
      item.append(make('i', '', value));
      return item;
    }),
  );
  node.replaceChildren(head, list, ...(made ? [make('p', 'facts-made', made)] : []));
};
