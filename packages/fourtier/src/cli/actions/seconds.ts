/** Progress in seconds of video. */

import type { Task } from "@fourtier/core"

/** Counts the seconds of one video, whichever part of the work on it goes on. */
export interface SecondsOfVideo {
  /** Counts a share of the work, which begins where another one ends. */
  part: (from: number, share: number) => (done: number, of: number) => void
  end: () => void
}

export function secondsOfVideo(task: Task, { duration }: { duration: number }): SecondsOfVideo {
  let before = 0
  const advance = (share: number) => {
    const seconds = Math.round(share * Math.round(duration))
    if (seconds > before) task.tick(seconds - before)
    before = Math.max(before, seconds)
  }
  return {
    part: (from, share) => (done, of) => advance(from + (of > 0 ? (share * done) / of : share)),
    end: () => advance(1),
  }
}
