// @ts-check
// Branches: where the story forks. Each branch is shown, named or deleted from here; above them the tree is drawn.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, memo, useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { errorLine, panelHead } = window.inkling.panel;
const { aboutBranch, bringIntoSight, focusStop, keepStop, lengthOf, listed, moment, walk } = window.inkling.branches;
const { drawTree } = window.inkling;
const { count } = window.inkling.numbers;
const ENTRY = {
  label: 'Branches',
  title: 'Where the story forks: show another branch, name it, delete it',
  place: 8.5,
};
const LONGEST_NAME = 60;
/** So many forks are listed until more are asked for. */
const PAGE = 40;
const PHONE = '(max-width: 640px)';

/**
 * @typedef {import('../shared/store.js').Store} Store
 * @typedef {object} Does What can be done with a branch.
 * @property {(branch: Page.Branch) => void} show
 * @property {(branch: Page.Branch | null) => void} ask Ask for its name.
 * @property {(branch: Page.Branch, name: string) => void} name
 * @property {(branch: Page.Branch) => void} drop
 */

/** @param {{branch: Page.Branch, does: Does}} props */
const NameField = ({ branch, does }) => {
  const field = /** @type {{current: any}} */ (useRef(null));
  useEffect(() => field.current.select(), []);
  return (
    <form
      className="branch-name"
      data-esc
      onSubmit={(event) => {
        event.preventDefault();
        does.name(branch, field.current.value);
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Escape') does.ask(null);
      }}
    >
      <input
        ref={field}
        type="text"
        defaultValue={branch.name}
        maxLength={LONGEST_NAME}
        placeholder="Its name; none: leave it empty"
        aria-label="Name of the branch"
        autoComplete="off"
      />
      <button type="submit" className="quiet" title="Keep this name (Enter)">
        Save
      </button>
      <button type="button" className="quiet" title="Leave the name as it was (Esc)" onClick={() => does.ask(null)}>
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
          aria-label={`Name the branch “${called}”`}
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
          aria-label={`Delete the branch “${called}”`}
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
        {fork.at === null ? 'At the beginning' : <>after “{fork.after}”</>}
      </p>
      <ul aria-labelledby={id}>
        {fork.branches.map((branch) =>
          asking === branch.passage ? (
            <li key={branch.passage} className="branch">
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

/** @param {{found: Page.Branches, does: Does, busy: boolean, now: number, asking: string | null, most: number, more: () => void}} props */
const ListOf = ({ found, does, busy, now, asking, most, more }) => {
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
        <button type="button" className="quiet" id="branches-more" onClick={more}>
          Show {count(Math.min(PAGE, hidden))} more of {count(hidden)} forks
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

/** @param {Store} store @returns {Does} */
const doings = (store) => ({
  show: (branch) => {
    store.follow = false;
    if (!store.act({ act: 'pick', passage: branch.passage })) return;
    if (store.branches) store.branches.goal = branch.passage;
    if (window.matchMedia(PHONE).matches) store.open('branches');
  },
  ask: (branch) => {
    const { branches } = store;
    if (!branches) return;
    branches.focus = branch ? null : branches.asking;
    branches.asking = branch ? branch.passage : null;
    store.tell();
  },
  name: (branch, name) => {
    if (!store.branches || !store.act({ act: 'name_branch', passage: branch.passage, name })) return;
    Object.assign(store.branches, { asking: null, focus: branch.passage });
    store.tell();
  },
  drop: (branch) => {
    const { branches, state } = store;
    if (!branches || !state || !store.act({ act: 'delete_branch', passage: branch.passage })) return;
    const rows = [...document.querySelectorAll('#branch-list .branch')].map((row) => row.getAttribute('data-passage'));
    const at = rows.indexOf(branch.passage);
    branches.focus = rows[at + 1] || rows[at - 1] || null;
    branches.dropped = { branch, undo: state.undo + 1 };
  },
});

/** @type {WeakMap<Store, Does>} */
const known = new WeakMap();

/** @param {Store} store */
const doingsOf = (store) => {
  const does = known.get(store) || doings(store);
  known.set(store, does);
  return does;
};

function StoryBranches() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'branches', ENTRY);
  const { state } = store;
  const busy = Boolean(state?.writing);
  const asked = open && state && !busy ? `${state.story} ${state.revision}` : null;

  useEffect(() => {
    if (!asked || !state || store.branches?.asked === asked) return;
    const before = store.branches?.story === state.story ? store.branches : { most: PAGE, asking: null };
    const mine = { ...before, asked, story: state.story };
    store.branches = mine;
    store.query({ query: 'branches' }).then(
      (found) => {
        if (store.branches?.asked !== asked) return;
        Object.assign(store.branches, { found, error: '', now: Date.now() / 1000 });
        store.tell();
      },
      (error) => {
        if (store.branches?.asked !== asked) return;
        store.branches.error = error.message;
        store.tell();
      },
    );
  }, [asked]);

  // The text is drawn in the frame after the news of it.
  const goal = store.branches?.goal;
  const there = Boolean(goal) && !busy && state?.passages.some((each) => each.id === goal);
  useEffect(() => {
    if (!goal || !there || !store.branches) return;
    store.branches.goal = null;
    requestAnimationFrame(() => requestAnimationFrame(() => bringIntoSight(goal)));
  }, [goal, there]);

  const found = state && store.branches?.story === state.story ? store.branches.found : undefined;
  const focus = store.branches?.focus;
  useEffect(() => {
    if (!focus || !store.branches) return;
    const list = document.getElementById('branch-list');
    const row = list?.querySelector(`.branch[data-passage="${focus}"] [data-stop]`);
    if (!row || list?.querySelector('.branch-name')) return;
    store.branches.focus = null;
    focusStop(list, row);
  }, [focus, found, store.branches?.asking]);

  if (!open || !state) return null;
  const { error, most = PAGE, asking = null, now = 0, dropped } = store.branches || {};
  const does = doingsOf(store);
  const back = dropped && dropped.undo === state.undo && !busy ? dropped.branch : null;
  const more = () => {
    if (store.branches) store.branches.most += PAGE;
    store.tell();
  };
  return (
    <section className="panel" id="panel-branches" aria-label="Branches">
      {panelHead(createElement, 'Branches', () => store.open('branches'))}
      {errorLine(createElement, error)}
      <p className="branch-dropped" role="status">
        {back && (
          <>
            Deleted “{back.name || back.words}” ({lengthOf(back.length)}).{' '}
            <button type="button" className="quiet" id="branch-back" onClick={() => store.act({ act: 'undo' })}>
              Undo
            </button>
          </>
        )}
      </p>
      {!found && !error && <p className="status">looking for forks…</p>}
      {found && found.forks.length === 0 && (
        <p className="about">
          The story has not forked yet. Retry, an edit or “Branch from here” keeps the old words beside the new ones:
          each place where that was done stands here, with its branches.
        </p>
      )}
      {found && found.forks.length > 0 && (
        <>
          <Tree {...{ found, does, busy, now }} />
          <List {...{ found, does, busy, now, asking, most, more }} />
        </>
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryBranches', StoryBranches);
