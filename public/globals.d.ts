// What the page's code finds in the browser: Chainlit's packages, and what inkling.js puts in the window.

interface Window {
  inkling: typeof import('./inkling.js').inkling;
  /** The settings and the picks of the page that a new story was opened from; see StoryView. */
  __inklingCarried?: { type: 'story_like'; settings: Record<string, string>; model: string; preset?: string };
}

declare module 'recoil' {
  export interface RecoilState<T> {
    readonly key: string;
    readonly value: T;
  }
  export function useRecoilValue<T>(state: RecoilState<T>): T;
}

declare module 'sonner' {
  export const toast: Record<'error' | 'info', (message: string, options?: { duration: number }) => void>;
}

declare module '@chainlit/react-client' {
  import type { RecoilState } from 'recoil';

  /** A Socket.IO connection, as far as it is used here. */
  export interface Socket {
    connected: boolean;
    io?: { engine?: { transport?: { name: string } } };
    emit(event: string, ...data: unknown[]): unknown;
    on(event: string, hear: (data: never) => void): void;
    once(event: string, hear: (data: never) => void): void;
    off(event: string, hear: (data: never) => void): void;
    timeout(ms: number): { emit(event: string, data: unknown, answer: (late: unknown, answer: never) => void): void };
  }
  interface Mode {
    id: string;
    options: { id: string; default?: boolean }[];
  }
  export const modesState: RecoilState<Mode[]>;
  export const sessionIdState: RecoilState<string>;
  export const userState: RecoilState<{ identifier: string } | null | undefined>;
  export function useChatData(): { loading: boolean };
  export function useChatInteract(): {
    sendMessage(message: Record<string, unknown>): void;
    stopTask(): void;
    windowMessage(data: unknown): void;
  };
  export function useChatSession(): { session?: { socket: Socket } };
}
