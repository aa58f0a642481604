/** Where strips of key frames come from: what descriptions know of video. */

import type { DescribedClip, Setting } from "./provider.ts"

export interface StripSettings {
  readonly [key: string]: Setting
}

export interface StripSource {
  /** K, height and whatever else decides the strip's pixels: part of every key. */
  readonly settings: StripSettings
  /** The same for one clip, where its size decides; `settings` by default. Clips of equal settings share one object. */
  settingsOf?(clip: DescribedClip): StripSettings
  /** Other settings under which sound answers about the clip count as well, while it has none under its own; null for none. */
  olderSettingsOf?(clip: DescribedClip): StripSettings | null
  /** The clip's strip as JPEG. */
  encode(clip: DescribedClip): Promise<Uint8Array>
}

/** Lets at most `max` calls run at once: decoding keeps the processor busy. */
export function throttle<T, R>(max: number, work: (item: T) => Promise<R>): (item: T) => Promise<R> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (item) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work(item)
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

/** Width and height in pixels, from the frame header of a JPEG; null when it has none. */
export function jpegSize(jpeg: Uint8Array): { width: number; height: number } | null {
  for (let at = 2; at + 9 < jpeg.length && jpeg[at] === 0xff; ) {
    const marker = jpeg[at + 1]
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { height: (jpeg[at + 5] << 8) | jpeg[at + 6], width: (jpeg[at + 7] << 8) | jpeg[at + 8] }
    }
    at += 2 + ((jpeg[at + 2] << 8) | jpeg[at + 3])
  }
  return null
}
