// @ts-check
// Words and characters of the story, of the passage at hand and of what is selected: a line below all else. They are
// counted while nothing else is to be done, so that nobody waits for them.

import { sessionIdState } from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { countCharacters, countWords, Tally } = window.inkling.counts;
const { countsSaid } = window.inkling.sentences;
const PAUSE_MS = 250;
/** Of one go, so that a key that is pressed meanwhile is not late. */
const SLICE_MS = 6;

/** What is selected of the story, once it rests. */
const useSelected = () => {
  const selected = /** @type {{current: import('../shared/counts.js').Counts | null}} */ (useRef(null));
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0);
  useEffect(() => {
    let timer = /** @type {number | undefined} */ (undefined);
    const look = () => {
      const text = window.inkling.selectedWords();
      const had = selected.current;
      selected.current = text ? { words: countWords(text), characters: countCharacters(text) } : null;
      if (had || selected.current) redraw();
    };
    const soon = () => {
      clearTimeout(timer);
      timer = window.setTimeout(look, PAUSE_MS);
    };
    document.addEventListener('selectionchange', soon);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('selectionchange', soon);
    };
  }, []);
  return selected.current;
};

/**
 * The counts of the story, as it was a moment ago; null where nothing stands there.
 *
 * @param {import('../shared/store.js').Store} store
 */
const useCounts = (store) => {
  store.tally ??= new Tally();
  const { tally } = store;
  const counts = /** @type {{current: import('../shared/counts.js').Counts | null}} */ (useRef(null));
  const timer = /** @type {{current: number | undefined}} */ (useRef(undefined));
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0);
  const passages = store.state ? store.state.passages : [];
  // Between two revisions only the last one grows.
  const mark = [store.state?.revision, passages.length, passages.at(-1)?.tokens.length].join();
  useEffect(() => {
    // What is under way sees the newest story, and words that come all the time do not put it off for ever.
    if (timer.current !== undefined) return;
    const go = () => {
      const began = performance.now();
      const sum = tally.count(store.state?.passages ?? [], () => performance.now() - began > SLICE_MS);
      timer.current = sum ? undefined : window.setTimeout(go);
      if (!sum) return;
      counts.current = sum;
      redraw();
    };
    timer.current = window.setTimeout(go, PAUSE_MS);
  }, [mark]);
  return { counts: passages.length ? counts.current : null, of: (id) => tally.of(id) };
};

function StoryCounts() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const selected = useSelected();
  const { counts, of } = useCounts(store);
  if (!counts?.characters) return null;
  const passage = of(store.selected);
  const [label, part] = selected ? ['Selected', selected] : ['This passage', passage];
  return (
    <button
      type="button"
      className="counts"
      id="story-counts"
      title="The story, and the passage or the words that are selected. Click for the contents (Alt+G)"
      onClick={() => store.open('contents')}
    >
      <span id="counts-story">{countsSaid(counts)}</span>
      {part && (
        <span id="counts-part">
          {label}: {countsSaid(part)}
        </span>
      )}
    </button>
  );
}

export default window.inkling.lasting('StoryCounts', StoryCounts);
