// @ts-check
// The story's way out of the page and into it: a small menu above the story. Files are read and written here, in the
// browser; the server gives the text of one and takes the text of another, in pieces that a socket can carry.

import { sessionIdState, useChatSession } from '@chainlit/react-client';
import { useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';
import { toast } from 'sonner';

const { download, pieces, readBase64, readText, recallLeftOut, rememberLeftOut } = window.inkling.files;
const MOST_BYTES = 32000000;
const BOOK = /\.(docx|epub)$/i;
const MOST_OF_BOOK = 24000000; // base64 makes four characters of three bytes
const KINDS = [
  ['txt', 'Save the text', 'The words alone, as a .txt'],
  ['docx', 'Save for Word', 'A .docx for Word, LibreOffice and their kin, with its headings and paragraphs'],
  ['epub', 'Save as an e-book', 'An .epub for readers of books, a chapter for each heading'],
  ['md', 'Save with settings', 'A .md: the words, whose they are, and how each passage was made'],
  ['json', 'Save everything', 'A .json with all alternatives; opened here again, it is the same story'],
];

const goTo = ({ thread, left_out }) => {
  rememberLeftOut(left_out);
  window.location.assign(`/thread/${thread}`);
};

const tellLeftOut = () => {
  const left = recallLeftOut();
  if (left) toast.info(`Opened without ${left}: a story has words alone.`);
};

const read = async (file) => {
  const most = BOOK.test(file.name) ? MOST_OF_BOOK : MOST_BYTES;
  if (file.size > most)
    throw new Error(
      `“${file.name}” is too large: it has ${Math.ceil(file.size / 1e6)} million bytes, ` +
        `and ${most / 1e6} can be read. Save its words as .txt.`,
    );
  return most === MOST_OF_BOOK ? readBase64(file) : readText(file, 'open it again', { ignoreBOM: true });
};

function StoryFiles() {
  const menu = /** @type {{current: any}} */ (useRef(null));
  const picker = /** @type {{current: any}} */ (useRef(null));
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const { session } = useChatSession();
  const socket = session?.socket;

  useEffect(tellLeftOut, []);

  useEffect(() => {
    if (!socket) return undefined;
    socket.on('story_file', download);
    socket.on('story_opened', goTo);
    return () => {
      socket.off('story_file', download);
      socket.off('story_opened', goTo);
    };
  }, [socket]);

  useEffect(() => {
    const close = (event) => {
      if (menu.current && (event.key === 'Escape' || (event.type === 'click' && !menu.current.contains(event.target))))
        menu.current.open = false;
    };
    document.addEventListener('click', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('click', close);
      document.removeEventListener('keydown', close);
    };
  }, []);

  const act = (todo) => () => {
    menu.current.open = false;
    todo();
  };

  const send = async (event) => {
    const [file] = event.target.files;
    event.target.value = '';
    if (!file) return;
    try {
      pieces(file.name, await read(file)).forEach((piece) => socket?.emit('story_piece', piece));
    } catch (error) {
      toast.error(error.message);
    }
  };

  return (
    <div className="story-files">
      {store.state?.unsaved && (
        <span className="story-sign" id="story-unsaved" role="alert">
          Not saved: {store.state.unsaved}
        </span>
      )}
      {store.savedAgain && (
        <span className="story-sign" id="story-saved" role="status">
          Saved.
        </span>
      )}
      <details ref={menu}>
        <summary id="story-file-menu" title="Save this story as a file, or open one">
          File
        </summary>
        <div className="story-files-menu">
          {KINDS.map(([ending, label, about]) => (
            <button
              key={ending}
              type="button"
              id={`story-save-${ending}`}
              title={about}
              onClick={act(() => socket?.emit('story_save', { ending }))}
            >
              {label} <i>.{ending}</i>
            </button>
          ))}
          <button
            type="button"
            id="story-open-file"
            onClick={act(() => picker.current.click())}
            title="A .txt, .docx or .epub begins a story, a passage a paragraph; a .json that was saved here comes back"
          >
            Open a file…
          </button>
        </div>
      </details>
      <input
        ref={picker}
        id="story-file"
        type="file"
        accept=".txt,.md,.docx,.epub,.json,text/plain"
        hidden
        onChange={send}
      />
    </div>
  );
}

export default window.inkling.lasting('StoryFiles', StoryFiles);
