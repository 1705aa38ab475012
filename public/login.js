// @ts-check
// What the server says about a sign-in that failed, word for word. Chainlit's page looks its answer up among fixed
// sentences by the status line, which has no room for "wait 8 seconds" and is empty over HTTP/2.
(() => {
  const UNREACHED = 'Inkling cannot be reached: does it still run?';
  const ask = window.fetch;
  let said = '';

  const isSignIn = (address, options) =>
    (options?.method || 'GET').toUpperCase() === 'POST' && new URL(address, location.href).pathname.endsWith('/login');

  // Chainlit draws its own sentence; ours takes its place before it is painted, and again whenever it is drawn anew.
  const show = () => {
    const words = said && document.querySelector('form:has(#password) [role="alert"] p');
    if (words && words.textContent !== said) words.textContent = said;
  };
  new MutationObserver(show).observe(document, { childList: true, subtree: true, characterData: true });

  window.fetch = async (address, options) => {
    if (!isSignIn(address, options)) return ask(address, options);
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
