// @ts-check
// The story as one flowing text. The server's story is the truth; this keeps what it was sent and asks for the rest.
// Chainlit evaluates this file anew at will and remounts it for each session, so nothing of worth lives in the
// component: what was received is kept in a store for each session, and the text is drawn by hand (shared/passages.js).

import {
  modesState,
  sessionIdState,
  useChatData,
  useChatInteract,
  useChatSession,
  userState,
} from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';
import { toast } from 'sonner';

const { clicked, drawLeftOver, drawPassages, drawRow, received } = window.inkling;
const { readOut } = window.inkling.listen;
const { walk } = window.inkling.walk;
const { drafts, guard, sendAct, speakBy, unsent } = window.inkling.desk;
const NEAR_END_PX = 60;
const SYNC_DELAY_MS = 250;
const ASK_AGAIN_MS = 2000;
const READ_MS = 12000;
const PATIENCE_MS = 60_000;
// A few steps are tried for it, maybe behind those of others: a slow machine takes minutes.
const PLAN_PATIENCE_MS = 900_000;

const NoModel = () => (
  <div className="welcome">
    <h1>No model yet</h1>
    <p>
      Inkling found nothing to write with in <code>checkpoints/</code>, <code>runs/</code> or{' '}
      <code>INKLING_MODELS</code>.
    </p>
    <p>
      Train a small one on the story in <code>data/</code>, in a few minutes:
    </p>
    <pre>python -m train.pretrain --preset story</pre>
    <p>Then begin a new story: it will be there.</p>
  </div>
);

const Welcome = ({ starters, send, busy, status }) => (
  <div className="welcome">
    <h1>A blank page</h1>
    <p>Write the first words below, or take a beginning:</p>
    <ul className="starters">
      {starters.map((starter) => (
        <li key={starter}>
          <button type="button" className="starter" disabled={busy} onClick={() => send(starter)}>
            {starter}
          </button>
        </li>
      ))}
    </ul>
    {busy ? (
      <span className="status" role="status">
        {status || 'reading'}…
      </span>
    ) : (
      <button
        type="button"
        id="story-begin"
        className="quiet"
        onClick={() => send('Begin', { ask: 'continue' })}
        title="An empty page: the model writes the first word too"
      >
        Let the model begin
      </button>
    )}
  </div>
);

// A new story goes on with the settings and the model of the page it was begun from.
const carried = (options, settings) => (event) => {
  if (event.target.closest('#new-chat-button')) window.__inklingCarried = { type: 'story_like', settings, ...options };
};

function StoryView() {
  const box = /** @type {{current: any}} */ (useRef(null));
  const leftOver = /** @type {{current: any}} */ (useRef(null));
  const { session } = useChatSession();
  const user = useRecoilValue(userState);
  const { sendMessage, windowMessage } = useChatInteract();
  const { loading } = useChatData();
  const modes = useRecoilValue(modesState);
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const socket = session?.socket;
  const { state } = store;
  const busy = loading || Boolean(state?.writing);
  const picks = Object.fromEntries(
    modes.map(({ id, options }) => [id, (options.find((each) => each.default) || options[0])?.id]),
  );
  const model = picks.model || state?.model;

  const send = (output, request) => {
    window.inkling.toEnd(store);
    store.selected = null;
    sendMessage({
      threadId: '',
      id: window.inkling.uuid(),
      name: 'User',
      type: 'user_message',
      output,
      modes: picks,
      createdAt: new Date().toISOString(),
      metadata: request || {},
    });
  };
  store.send = send;
  store.model = model;
  store.act = (request) => sendAct(socket, request);
  // A promise of the answer, or of an Error whose message a writer can read.
  const call = (event, request, patience = PATIENCE_MS) =>
    new Promise((resolve, reject) => {
      const lost = () => reject(new Error('The server did not answer. Is it still running?'));
      if (patience > PATIENCE_MS) socket?.once('disconnect', lost); // an estimate ends with its page's connection
      socket?.timeout(patience).emit(event, request, (late, /** @type {any} */ answer) => {
        socket.off('disconnect', lost);
        if (late) lost();
        else if (answer.error) reject(new Error(answer.error));
        else resolve(answer);
      });
    });
  store.query = (request) => call('story_query', request);
  store.command = (request) =>
    call('story_command', request, request.command === 'training_plan' ? PLAN_PATIENCE_MS : PATIENCE_MS);

  // What stands in the pickers comes after the state: whoever was drawn by that knows only the model before.
  useEffect(() => {
    store.tell();
  }, [store, model]);

  const scroller = () => box.current?.closest('.overflow-y-auto');
  // In the next frame, however much comes before it: new tokens are drawn, and the end of the text is followed, for
  // which the page lays all of it out.
  const paintSoon = () => {
    if (store.frame) return;
    store.frame = requestAnimationFrame(() => {
      store.frame = null;
      if (!box.current || !store.state) return;
      drawPassages(box.current, store.state, false);
      readOut(store);
      const frame = scroller();
      if (frame && store.follow && store.state.passages.length) frame.scrollTop = frame.scrollHeight;
    });
  };
  const paint = () => {
    if (box.current && store.state) drawPassages(box.current, store.state, true);
    paintSoon();
  };

  useEffect(() => {
    if (!socket || !user) return undefined;
    speakBy((sentence) => toast.error(sentence, { duration: READ_MS }));
    drafts.belongTo(user.identifier);
    guard(socket, () => window.inkling.toEnd(store));
    unsent.onEdits(store.tell);
    const ask = () => {
      const passages = store.state ? store.state.passages : [];
      const last = passages[passages.length - 1];
      windowMessage({
        type: 'story_sync',
        revision: store.state ? store.state.revision : -1,
        have: last ? last.tokens.length : 0,
      });
      return false;
    };
    /** @type {[string, (data: unknown) => void][]} */
    const handlers = Object.entries(received(store, ask, unsent)).map(([event, handle]) => [
      event,
      (data) => {
        if (handle(data)) paint();
        else paintSoon();
        store.tell();
      },
    ]);
    if (!store.state && window.__inklingCarried) windowMessage(window.__inklingCarried);
    delete window.__inklingCarried;
    const late = () => setTimeout(ask, SYNC_DELAY_MS);
    handlers.forEach(([event, handle]) => socket.on(event, handle));
    socket.on('connect', late);
    const timer = late();
    // A story that is opened comes by itself; only where nothing came is it asked for.
    const again = setInterval(() => !store.state && ask(), ASK_AGAIN_MS);
    paintSoon();
    return () => {
      clearTimeout(timer);
      clearInterval(again);
      if (store.frame) cancelAnimationFrame(store.frame);
      store.frame = null;
      handlers.forEach(([event, handle]) => socket.off(event, handle));
      socket.off('connect', late);
    };
  }, [socket, store, user?.identifier]);

  useEffect(() => {
    const onClick = carried({ ...picks, model: model || '' }, state ? state.tuning.chosen : {});
    document.addEventListener('click', onClick, true);
    return () => document.removeEventListener('click', onClick, true);
  }, [model, picks.preset, state]);

  // The dials and the dice show what is picked, not what was when the last message went.
  const knownPreset = state?.tuning?.preset;
  useEffect(() => {
    if (knownPreset && picks.preset && picks.preset !== knownPreset) store.act({ act: 'preset', name: picks.preset });
  }, [picks.preset]);

  useEffect(paint, [store]);
  useEffect(() => {
    if (box.current) drawRow(box.current, store, busy);
    if (leftOver.current) drawLeftOver(leftOver.current, store);
  });
  // The tail, the end mark and the facts change the height after the text was drawn.
  useEffect(paintSoon, [state?.revision]);
  useEffect(() => {
    const frame = scroller();
    if (!frame) return undefined;
    let [top, height] = [frame.scrollTop, frame.scrollHeight];
    const onScroll = () => {
      const isUp = frame.scrollTop < top - 1 && frame.scrollHeight >= height;
      [top, height] = [frame.scrollTop, frame.scrollHeight];
      if (store.settles && !isUp) return; // nobody scrolled: the page grew
      store.settles = false;
      store.follow = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - NEAR_END_PX;
    };
    frame.addEventListener('scroll', onScroll, { passive: true });
    const grown = new ResizeObserver(() => {
      if (store.settles && store.follow && store.state?.passages.length) frame.scrollTop = frame.scrollHeight;
    });
    if (frame.firstElementChild) grown.observe(frame.firstElementChild);
    const acts = ['pointerdown', 'wheel', 'keydown'];
    const settled = () => {
      store.settles = false;
    };
    for (const act of acts) document.addEventListener(act, settled, { capture: true, passive: true });
    const leaveMargin = window.inkling.watchMargin(box.current, frame);
    return () => {
      frame.removeEventListener('scroll', onScroll);
      grown.disconnect();
      for (const act of acts) document.removeEventListener(act, settled, { capture: true });
      leaveMargin();
    };
  }, [store, state === null]);

  const pick = (event) => {
    if (store.shaded && event.target.dataset.odds) return; // its dice are shown instead
    if (!document.getSelection()?.isCollapsed) return; // words were marked, to be copied
    const { id, caret } = clicked(box.current, event.nativeEvent) ?? { id: null, caret: null };
    const token = event.target.dataset.i === undefined ? null : Number(event.target.dataset.i);
    Object.assign(store, { selected: id, token, editing: busy ? null : id, caret });
    store.tell();
  };

  const blank = !state || state.passages.length + state.takes.length === 0;
  const known = state?.models.find((each) => each.key === model);
  return (
    <div className="story" data-busy={busy} data-blank={blank}>
      {state && blank && state.models.length === 0 && <NoModel />}
      {state && blank && state.models.length > 0 && (
        <Welcome starters={known ? known.starters : []} send={send} busy={busy} status={state.status} />
      )}
      <div
        className="story-text"
        id="story-text"
        ref={box}
        onClick={pick}
        onKeyDown={(event) => walk(event.nativeEvent, box.current, store)}
        role="article"
        aria-label="The story"
        lang={state?.language}
        aria-busy={busy}
      />
      <div ref={leftOver} />
    </div>
  );
}

export default window.inkling.lasting('StoryView', StoryView);
