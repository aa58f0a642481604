/** Text embeddings of clips, a block at a time: those of many clips need not be in memory together. */

export interface ClipTexts {
  prompts: readonly string[]
  /** Clips that have an embedding for every prompt. */
  clips: readonly string[]
  /** Dt */
  width: number
  /**
   * Writes embeddings [count,Dt] to the start of `into`.
   * @param prompt its number in `prompts`
   * @param first number of the first clip in `clips`
   */
  read(prompt: number, first: number, count: number, into: Float32Array): void | Promise<void>
}

/**
 * Embeddings that are in memory. Clips that a prompt lacks are left out.
 * @param tables embeddings [Dt] by prompt, then clip
 * @param width Dt, needed where there are no clips
 *
 * @example
 * ```ts
 * import { textsInMemory } from "@fourtier/core/train"
 *
 * const answers = new Map([["a", Float32Array.of(0.9, 0.1)], ["b", Float32Array.of(0.2, 0.8)]])
 * textsInMemory(new Map([["A", answers]])).clips // ["a", "b"]
 * ```
 */
export function textsInMemory(tables: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>, width = 1): ClipTexts {
  const all = [...tables.values()]
  const clips = [...(all[0]?.keys() ?? [])].filter((clip) => all.every((table) => table.has(clip)))
  const own = all[0]?.get(clips[0])?.length ?? width
  return {
    prompts: [...tables.keys()],
    clips,
    width: own,
    read(prompt, first, count, into) {
      for (let i = 0; i < count; i++) {
        const row = all[prompt].get(clips[first + i])
        if (row) into.set(row, i * own)
      }
    },
  }
}

/**
 * Embeddings of some of the clips, read into memory.
 *
 * @example
 * ```ts
 * import { someTexts, textsInMemory } from "@fourtier/core/train"
 *
 * const answers = new Map([["a", Float32Array.of(0.9, 0.1)], ["b", Float32Array.of(0.2, 0.8)]])
 * const texts = await someTexts(textsInMemory(new Map([["A", answers]])), new Set(["b"]))
 * texts.clips // ["b"]
 * ```
 */
export async function someTexts(texts: ClipTexts, kept: ReadonlySet<string>): Promise<ClipTexts> {
  const places = [...texts.clips.keys()].filter((place) => kept.has(texts.clips[place]))
  const tables = new Map<string, Map<string, Float32Array>>()
  for (const [number, prompt] of texts.prompts.entries()) {
    const table = new Map<string, Float32Array>()
    for (const place of places) {
      const row = new Float32Array(texts.width)
      await texts.read(number, place, 1, row)
      table.set(texts.clips[place], row)
    }
    tables.set(prompt, table)
  }
  return textsInMemory(tables, texts.width)
}
