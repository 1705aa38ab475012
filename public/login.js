// @ts-check
// What the server says about a sign-in that failed, word for word. Chainlit's page looks its answer up among fixed
// sentences by the status line, which has no room for "wait 8 seconds" and is empty over HTTP/2. What a sign-out
// leaves in the browser: nothing. And which of two connections a page keeps: the one that it asked for last.
import { drafts } from './shared/desk.js';

(() => {
  const UNREACHED = 'Inkling cannot be reached: does it still run?';
  const ASK_AGAIN_MS = 1000;
  const ask = window.fetch;
  let said = '';

  const isTo = (path, method, address, options) =>
    (options?.method || 'GET').toUpperCase() === method && new URL(address, location.href).pathname.endsWith(path);

  // Chainlit leaves for the sign-in, and the page with all that stands there, when it asks in vain who is signed in;
  // only an answer says that nobody is. And a part of the page that did not come is missing until it is loaded anew.
  const untilAnswered = async (address, options) => {
    for (;;) {
      const answer = await ask(address, options).catch(() => null);
      if (answer && answer.status < 500) return answer;
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  };

  let connections = 0;

  // At the address of a story, Chainlit's page begins two connections, the first of them for a new story, and keeps the
  // one whose cookie came last. One that another follows is never begun, so that it cannot be the one.
  const beginConnection = async (address, options) => {
    connections += 1;
    const own = connections;
    try {
      const answer = await ask(address, options);
      return new Response(await answer.text(), answer);
    } finally {
      if (own !== connections) await new Promise(() => {});
    }
  };

  const signOut = async (address, options) => {
    const left = drafts.count();
    const many = left === 1 ? 'A draft is' : `${left} drafts are`;
    const question = `${many} in this browser, neither sent nor saved. Sign out, and throw what they say away?`;
    if (left && !window.confirm(question))
      return new Response('{}', { status: 409, statusText: 'You are still signed in' });
    const answer = await ask(address, options);
    if (answer.ok) drafts.forget();
    return answer;
  };

  const deleteStory = async (address, options) => {
    const answer = await ask(address, options);
    if (answer.ok) drafts.dropStory(JSON.parse(options.body).threadId);
    return answer;
  };

  // Chainlit draws its own sentence; ours takes its place before it is painted, and again whenever it is drawn anew.
  const show = () => {
    const words = said && document.querySelector('form:has(#password) [role="alert"] p');
    if (words && words.textContent !== said) words.textContent = said;
  };
  new MutationObserver(show).observe(document, { childList: true, subtree: true, characterData: true });

  window.fetch = async (address, options) => {
    if (isTo('/user', 'GET', address, options) || isTo('.jsx', 'GET', address, options))
      return untilAnswered(address, options);
    if (isTo('/set-session-cookie', 'POST', address, options)) return beginConnection(address, options);
    if (isTo('/logout', 'POST', address, options)) return signOut(address, options);
    if (isTo('/project/thread', 'DELETE', address, options)) return deleteStory(address, options);
    if (!isTo('/login', 'POST', address, options)) return ask(address, options);
    let answer;
    try {
      answer = await ask(address, options);
    } catch (error) {
      said = UNREACHED;
      show();
      throw error;
    }
    if (answer.ok) {
      said = '';
      return answer;
    }
    const { detail } = await answer
      .clone()
      .json()
      .catch(() => ({}));
    said = typeof detail === 'string' ? detail : `Signing in did not work (${answer.status}).`;
    show();
    // Chainlit shows the status line in a notice too, and nothing at all where it is empty.
    return new Response('{}', { status: answer.status, statusText: said.replace(/[^ -~]/g, '') });
  };
})();
