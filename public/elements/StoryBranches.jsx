// @ts-check
// Branches: where the story forks. Each branch is shown, named or deleted from here; above them the tree is drawn.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, memo, useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { keepInto, typedInto } = window.inkling.beside;
const { drafts, here } = window.inkling.desk;
const { errorLine, panelHead } = window.inkling.panel;
const { aboutBranch, bringIntoSight, doingsOf, focusStop, keepStop, lengthOf, listed, moment, walk, MORE_FORKS } =
  window.inkling.branches;
const { drawTree } = window.inkling;
const { count } = window.inkling.numbers;
const ENTRY = {
  label: 'Branches',
  title: 'Where the story forks: show another branch, name it, delete it',
  place: 8.5,
};
const LONGEST_NAME = 60;
/** The focus is where it was when the panel opened, on its button, or on the panel as a whole. */
const isAtStart = () => [OPENER, 'panel-branches'].includes(document.activeElement?.id ?? '');

/** The focus goes from the button that opened the panel to the first branch. */
const OPENED = 'opened';
const OPENER = 'open-branches';

/**
 * @typedef {import('../shared/store.js').Store} Store
 * @typedef {import('../shared/branches.js').Does} Does
 */

/** @param {{branch: Page.Branch, does: Does}} props */
const NameField = ({ branch, does }) => {
  const field = /** @type {{current: any}} */ (useRef(null));
  useEffect(() => field.current.select(), []);
  const keep = (/** @type {string | null} */ words) =>
    keepInto(drafts, here(), `name-${branch.passage}`, words, branch.name);
  const leave = () => {
    keep(null);
    does.ask(null);
  };
  return (
    <form
      className="branch-name"
      data-esc
      onSubmit={(event) => {
        event.preventDefault();
        if (does.name(branch, field.current.value)) keep(null);
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Escape') leave();
      }}
    >
      <span className="branch-words">{branch.words}</span>
      <input
        ref={field}
        type="text"
        defaultValue={typedInto(drafts, here(), `name-${branch.passage}`) ?? branch.name}
        onChange={(event) => keep(event.target.value)}
        maxLength={LONGEST_NAME}
        placeholder="A name of yours"
        aria-label="Name of the branch"
        autoComplete="off"
      />
      <button type="submit" className="quiet" title="Keep this name (Enter)">
        Save
      </button>
      <button type="button" className="quiet" title="Leave the name as it was (Esc)" onClick={leave}>
        Cancel
      </button>
    </form>
  );
};

/** @param {{branch: Page.Branch, does: Does, busy: boolean, now: number}} props */
const Row = ({ branch, does, busy, now }) => {
  const called = branch.name || branch.words;
  const press = (event) => {
    const buttons = [...event.currentTarget.querySelectorAll('button')];
    const to = buttons[buttons.indexOf(event.target) + { ArrowLeft: -1, ArrowRight: 1 }[event.key]];
    if (to) to.focus();
    else if (event.key === 'F2' && !busy) does.ask(branch);
    else if (event.key === 'Delete' && !busy) does.drop(branch);
    else return;
    event.preventDefault();
  };
  return (
    <li className="branch" data-shown={branch.shown} data-passage={branch.passage} onKeyDown={press}>
      <button
        type="button"
        className="branch-show"
        data-stop
        tabIndex={-1}
        disabled={busy}
        aria-current={branch.shown ? 'true' : undefined}
        title={`Show this branch${branch.written_s === null ? '' : `; last written ${moment(branch.written_s)}`}`}
        onClick={() => does.show(branch)}
      >
        {branch.name && <b>{branch.name}</b>}
        <span className="branch-words">{branch.words || 'no words'}</span>
        <small>{aboutBranch(branch, now)}</small>
      </button>
      <span className="branch-acts">
        <button
          type="button"
          className="quiet"
          tabIndex={-1}
          disabled={busy}
          aria-label={`Name the branch: ${called}`}
          title={branch.name ? 'Call it otherwise (F2)' : 'Give it a name (F2)'}
          onClick={() => does.ask(branch)}
        >
          {branch.name ? 'Rename' : 'Name'}
        </button>
        <button
          type="button"
          className="quiet"
          tabIndex={-1}
          disabled={busy}
          aria-label={`Delete the branch: ${called}`}
          title="Take it out of the story with all that follows; Undo brings it back (Delete)"
          onClick={() => does.drop(branch)}
        >
          Delete
        </button>
      </span>
    </li>
  );
};

/** @param {{fork: Page.Fork, does: Does, busy: boolean, now: number, asking: string | null}} props */
const ForkOf = ({ fork, does, busy, now, asking }) => {
  const id = `fork-${fork.at ?? 'start'}`;
  return (
    <li className="fork">
      <p id={id} className="fork-after">
        {fork.at === null ? 'At the beginning' : `after ${fork.after}`}
      </p>
      <ul aria-labelledby={id}>
        {fork.branches.map((branch) =>
          asking === branch.passage ? (
            <li key={branch.passage} className="branch" data-shown={branch.shown}>
              <NameField branch={branch} does={does} />
            </li>
          ) : (
            <Row key={branch.passage} branch={branch} does={does} busy={busy} now={now} />
          ),
        )}
      </ul>
      {fork.left_out > 0 && <p className="about">and {count(fork.left_out)} older ones, by the arrows of a passage</p>}
    </li>
  );
};

/**
 * @typedef {{does: Does, busy: boolean, now: number, asking: string | null}} Shared
 * @param {Shared & {found: Page.Branches, most: number}} props
 */
const ListOf = ({ found, does, busy, now, asking, most }) => {
  const box = /** @type {{current: any}} */ (useRef(null));
  useEffect(() => keepStop(box.current));
  const [here, elsewhere] = listed(found.forks);
  const others = elsewhere.slice(0, Math.max(0, most - here.length));
  const hidden = found.forks.length - Math.min(here.length, most) - others.length;
  const part = (/** @type {string} */ title, /** @type {Page.Fork[]} */ forks) =>
    forks.length > 0 && (
      <>
        <h3>{title}</h3>
        <ol className="forks">
          {forks.map((fork) => (
            <ForkOf key={fork.at ?? ''} {...{ fork, does, busy, now, asking }} />
          ))}
        </ol>
      </>
    );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys walk through the buttons in it
    <div ref={box} id="branch-list" data-arrows onKeyDown={walk}>
      {part('In the text that is shown, the latest first', here.slice(0, most))}
      {part('In the other branches', others)}
      {hidden > 0 && (
        <button type="button" className="quiet" id="branches-more" onClick={does.more}>
          Show {count(Math.min(MORE_FORKS, hidden))} more of {count(hidden)} forks
        </button>
      )}
      {found.left_out > 0 && (
        <p className="about">
          {count(found.left_out)} more {found.left_out === 1 ? 'fork is' : 'forks are'} not listed: show a branch near
          them, and they are.
        </p>
      )}
    </div>
  );
};
const List = memo(ListOf);

/** @param {{found: Page.Branches, does: Does, busy: boolean, now: number}} props */
const Tree = ({ found, does, busy, now }) => {
  const box = /** @type {{current: any}} */ (useRef(null));
  useEffect(() => drawTree(box.current, found, { show: does.show, busy, now }), [found, busy]);
  return <figure className="tree" ref={box} />;
};

/**
 * What the server says of the branches, asked anew when the story has changed.
 *
 * @param {Store} store
 * @param {string | null} asked Which state of the story they are wanted of; null for none.
 */
const useFound = (store, asked) => {
  const { state } = store;
  useEffect(() => {
    if (!asked || !state || store.branches?.asked === asked) return;
    const before =
      store.branches?.story === state.story ? store.branches : { most: MORE_FORKS, asking: null, focus: OPENED };
    store.branches = { ...before, asked, story: state.story };
    const put = (/** @type {Partial<Store['branches']>} */ answer) => {
      if (store.branches?.asked !== asked) return;
      Object.assign(store.branches, answer);
      store.tell();
    };
    store.query({ query: 'branches' }).then(
      (found) => put({ found, error: '', now: Date.now() / 1000 }),
      (error) => put({ error: error.message }),
    );
  }, [asked]);
  return state && store.branches?.story === state.story ? store.branches.found : undefined;
};

/** @param {Store} store @param {boolean} busy */
const useNews = (store, busy) => {
  const { branches, state } = store;
  // The text is drawn in the frame after the news of it.
  const goal = branches?.goal;
  const there = Boolean(goal) && !busy && state?.passages.some((each) => each.id === goal);
  useEffect(() => {
    if (!goal || !there || !store.branches) return;
    store.branches.goal = null;
    requestAnimationFrame(() => requestAnimationFrame(() => bringIntoSight(goal)));
  }, [goal, there]);
  // What Undo takes back is the deletion, until something else is done or it was taken back.
  const undo = state ? state.undo : 0;
  useEffect(() => {
    const dropped = store.branches?.dropped;
    if (dropped?.undo === undo) dropped.done = true;
    else if (dropped?.done && store.branches) store.branches.dropped = null;
  }, [undo]);
};

/** @param {Store} store @param {boolean} open @param {Page.Branches | undefined} found */
const useFocus = (store, open, found) => {
  useEffect(() => {
    if (!open) return undefined;
    if (store.branches) store.branches.focus = OPENED;
    return () => {
      // What had the focus went with the panel.
      if (document.activeElement === document.body) document.getElementById(OPENER)?.focus({ preventScroll: true });
    };
  }, [open]);
  const focus = store.branches?.focus;
  useEffect(() => {
    if (!focus || !store.branches || (focus === OPENED && !isAtStart())) return;
    const list = document.getElementById('branch-list');
    const which = focus === OPENED ? '' : `.branch[data-passage="${focus}"] `;
    const row = list?.querySelector(`${which}[data-stop]`);
    if (!row || list?.querySelector('.branch-name')) return;
    store.branches.focus = null;
    focusStop(list, row);
  }, [focus, found, store.branches?.asking]);
};

function StoryBranches() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'branches', ENTRY);
  const { state } = store;
  const busy = Boolean(state?.writing);
  const found = useFound(store, open && state && !busy ? `${state.story} ${state.revision}` : null);
  useNews(store, busy);
  useFocus(store, open, found);

  if (!open || !state) return null;
  const { error, most = MORE_FORKS, asking = null, now = 0, dropped } = store.branches || {};
  const does = doingsOf(store);
  const back = dropped && dropped.undo === state.undo && !busy ? dropped.branch : null;
  return (
    <section className="panel" id="panel-branches" aria-label="Branches">
      {panelHead(createElement, 'Branches', () => store.open('branches'))}
      {errorLine(createElement, error)}
      <p className="branch-dropped" role="status">
        {back && (
          <>
            Deleted: <i>{back.name || back.words}</i> ({lengthOf(back.length)}).{' '}
            <button type="button" className="quiet" id="branch-back" onClick={() => does.back(back)}>
              Undo
            </button>
          </>
        )}
      </p>
      {!found && !error && <p className="status">looking for forks…</p>}
      {found && found.forks.length === 0 && (
        <p className="about">
          The story has not forked yet. Retry, an edit and “Branch from here” keep the old words beside the new ones;
          each place where that was done will stand here, with its branches.
        </p>
      )}
      {found && found.forks.length > 0 && (
        <>
          <Tree {...{ found, does, busy, now }} />
          <List {...{ found, does, busy, now, asking, most }} />
        </>
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryBranches', StoryBranches);
