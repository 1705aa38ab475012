// @ts-check
// Find and replace over the whole story. The server finds, by the rules of the library, and replaces; the places are
// marked in the text here.

import { sessionIdState } from '@chainlit/react-client';
import { useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { firstSeen, frameOf, jump, mark, unmark } = window.inkling.places;
const { foundSaid } = window.inkling.sentences;
const ENTRY = { label: 'Find', title: 'Find and replace words in the whole story (Ctrl+Shift+F)', place: 1 };
const PAUSE_MS = 120;
const DRAWN_MS = 80;
const LONGEST = 1000;

/** @typedef {import('../shared/store.js').Store} Store */

/** @returns {import('../shared/store.js').Find} */
const begun = () => ({
  ...{ words: '', text: '', exact: false, whole: false, anchor: 0, goes: false },
  ...{ places: [], count: 0, now: -1, asked: '', error: '', changed: null },
});
const box = () => document.getElementById('story-text');
const idsOf = (state) => state.passages.map(({ id }) => id).join();

/** Mark what was found where it stands now. @param {Store} store */
const draw = (store) => {
  const [text, { find, state }] = [box(), store];
  const frame = frameOf(text);
  if (text && frame && find && state) mark(text, frame, find.places, find.now);
};

/** @param {Store} store @param {boolean} [always] */
const show = (store, always = false) => {
  const [text, { find, state }] = [box(), store];
  const [frame, place] = [frameOf(text), find?.places[find.now]];
  if (!text || !frame || !state || !place) return;
  store.follow = false;
  jump(text, frame, place, always);
  draw(store);
};

/** What the server found. @param {Store} store @param {Page.Queries['find']} found */
const take = (store, { count, places }) => {
  const find = /** @type {import('../shared/store.js').Find} */ (store.find);
  const pairs = Array.from({ length: places.length / 2 }, (_, at) => ({
    start: places[2 * at],
    end: places[2 * at + 1],
  }));
  const next = pairs.findIndex(({ start }) => start >= find.anchor);
  Object.assign(find, { places: pairs, count, now: pairs.length ? Math.max(0, next) : -1, error: '' });
  if (find.goes) show(store);
  else draw(store);
  find.goes = false;
};

/** What the bar does to the page while it is open: the words have the focus, and the marks follow what is seen. */
const useOpened = (/** @type {Store} */ store, /** @type {boolean} */ open) => {
  useEffect(() => {
    const { find, state } = store;
    if (!open || !find || !state) return undefined;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    const [page, frame] = [box(), frameOf(box())];
    page?.classList.add('below-find');
    const selected = window.inkling.selectedWords();
    if (selected?.trim() && selected.length <= 100 && !selected.includes('\n')) find.words = selected.trim();
    if (page && frame) find.anchor = firstSeen(page, frame);
    find.goes = Boolean(find.words);
    store.tell();
    const field = /** @type {HTMLInputElement | null} */ (document.getElementById('find-words'));
    field?.focus();
    field?.select();
    let waits = 0;
    const redraw = () => {
      waits ||= requestAnimationFrame(() => {
        waits = 0;
        draw(store);
      });
    };
    frame?.addEventListener('scroll', redraw, { passive: true });
    page?.addEventListener(window.inkling.REDRAWN, redraw);
    window.addEventListener('resize', redraw);
    return () => {
      cancelAnimationFrame(waits);
      frame?.removeEventListener('scroll', redraw);
      page?.removeEventListener(window.inkling.REDRAWN, redraw);
      window.removeEventListener('resize', redraw);
      page?.classList.remove('below-find');
      unmark(box());
      if (document.activeElement === document.body || document.activeElement === null)
        before?.focus({ preventScroll: true });
    };
  }, [open]);
};

/** What is looked for is asked of the server, once nobody types. `asked` tells the questions apart; "" is none. */
const useFound = (/** @type {Store} */ store, /** @type {string} */ asked) => {
  useEffect(() => {
    const find = /** @type {import('../shared/store.js').Find} */ (store.find);
    const { words, exact, whole } = find;
    if (!asked) {
      Object.assign(find, { places: [], count: 0, now: -1, asked: '', error: '' });
      unmark(box());
      if (store.panel === 'find') store.tell();
      return undefined;
    }
    let wanted = true;
    const timer = setTimeout(() => {
      store.query({ query: 'find', find: words, match_case: exact, whole_words: whole }).then(
        (found) => {
          // A story that changed meanwhile is looked through anew.
          if (!wanted || found.revision !== store.state?.revision) return;
          find.asked = asked;
          take(store, found);
          store.tell();
        },
        (error) => {
          if (!wanted) return;
          Object.assign(find, { places: [], count: 0, now: -1, asked, error: error.message });
          store.tell();
        },
      );
    }, PAUSE_MS);
    // What is drawn anew has no marks.
    const late = setTimeout(() => draw(store), DRAWN_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
      clearTimeout(late);
    };
  }, [asked]);
};

function StoryFind() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'find', ENTRY);
  const { state } = store;
  store.find ??= begun();
  const { find } = store;
  const { words, text, exact, whole } = find;
  const asked = open && state && words ? JSON.stringify([state.revision, words, exact, whole]) : '';
  useOpened(store, Boolean(open && state));
  useFound(store, asked);

  if (!open || !state) return null;
  const { places, now, changed } = find;
  /** @param {Partial<typeof find>} more */
  const change = (more) => {
    Object.assign(find, more);
    store.tell();
  };
  const look = (/** @type {Partial<typeof find>} */ more) => {
    const page = box();
    const frame = frameOf(page);
    const anchor = places[now]?.start ?? (page && frame ? firstSeen(page, frame) : 0);
    change({ ...more, anchor, goes: true, changed: null });
  };
  const step = (/** @type {number} */ by) => {
    if (!places.length) return;
    find.now = (now + by + places.length) % places.length;
    change({ anchor: places[find.now].start, changed: null });
    show(store);
  };
  const replace = (/** @type {boolean} */ all) => {
    const place = places[now];
    if (!place) return;
    const act = /** @type {const} */ ({ act: 'replace', find: words, text, match_case: exact, whole_words: whole });
    if (!store.act(all ? act : { ...act, at: place.start })) return;
    const changed = { count: all ? find.count : 1, before: idsOf(state) };
    change({ changed, anchor: all ? place.start : place.start + text.length, goes: !all });
  };
  const press = (event) => {
    if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
    event.preventDefault();
    if (event.target.id === 'find-text' && !event.shiftKey) replace(false);
    else step(event.shiftKey ? -1 : 1);
  };
  const done = changed && changed.before !== idsOf(state) ? changed.count : 0;
  const cannot = state.writing || now < 0 || find.asked !== asked;
  /** @type {[string, 'exact' | 'whole', string, string][]} */
  const switches = [
    ['find-case', 'exact', 'Aa', 'Match case: capitals count'],
    ['find-whole', 'whole', 'Whole word', 'Only where no letter goes on before or after'],
  ];
  return (
    <search className="find" id="find" aria-label="Find and replace" onKeyDown={press}>
      <div className="find-row">
        <input
          id="find-words"
          type="text"
          maxLength={LONGEST}
          value={words}
          placeholder="Find in the story"
          aria-label="Find in the story"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => look({ words: event.target.value })}
        />
        <button
          type="button"
          className="quiet"
          id="find-before"
          disabled={now < 0}
          aria-label="The place before"
          title="The place before (Shift+Enter)"
          onClick={() => step(-1)}
        >
          ↑
        </button>
        <button
          type="button"
          className="quiet"
          id="find-next"
          disabled={now < 0}
          aria-label="The next place"
          title="The next place (Enter)"
          onClick={() => step(1)}
        >
          ↓
        </button>
        <button
          type="button"
          className="quiet"
          id="find-close"
          aria-label="Close"
          title="Close (Esc)"
          onClick={() => store.open('find')}
        >
          ✕
        </button>
      </div>
      <div className="find-row">
        <input
          id="find-text"
          type="text"
          maxLength={LONGEST}
          value={text}
          placeholder="Replace with"
          aria-label="Replace with"
          autoComplete="off"
          onChange={(event) => change({ text: event.target.value, changed: null })}
        />
        <button
          type="button"
          className="quiet"
          id="find-replace"
          disabled={cannot}
          title="Replace this place, and go to the next (Enter)"
          onClick={() => replace(false)}
        >
          Replace
        </button>
        <button
          type="button"
          className="quiet"
          id="find-replace-all"
          disabled={cannot}
          aria-label="Replace all"
          title="Replace every place at once; Undo takes all of it back"
          onClick={() => replace(true)}
        >
          All
        </button>
      </div>
      <div className="find-row find-foot">
        {switches.map(([id, name, label, title]) => (
          <button
            key={id}
            type="button"
            className="quiet"
            id={id}
            aria-pressed={find[name]}
            title={title}
            onClick={() => look({ [name]: !find[name] })}
          >
            {label}
          </button>
        ))}
        <output id="find-said" htmlFor="find-words">
          {find.error || foundSaid(find, done, find.asked === asked)}
        </output>
        {done > 0 && (
          <button
            type="button"
            className="quiet"
            id="find-undo"
            title="Take all of it back (Alt+Z)"
            onClick={() => {
              if (store.act({ act: 'undo' })) change({ changed: null });
            }}
          >
            Undo
          </button>
        )}
      </div>
    </search>
  );
}

export default window.inkling.lasting('StoryFind', StoryFind);
