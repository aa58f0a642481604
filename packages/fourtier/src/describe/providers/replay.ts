/**
 * Answers recorded before, from a file: nothing is sent anywhere. Three forms of JSONL line are read, and CSV:
 *   {"path": "hug/a.avi", "answers": {"A": "...", "B": "..."}}        one line a clip
 *   {"path": "hug/a.avi", "prompt": "A", "answer": "..."}             one line an answer (also `descriptions.jsonl` itself)
 *   path,A,B,C,D  or  path,prompt,answer                              CSV with a header line
 * A clip is found by `clip` (its id) or by `path` below the data root, and by `start`/`end` where it is a window of a file.
 */

import { FourtierError } from "@fourtier/tensor"
import { hashFile } from "@fourtier/tensor/node"
import { z } from "zod"
import { cleanPath, readRecords } from "./answer-formats.ts"
import { type LiveProvider, needed, ProviderError, type Question } from "./provider.ts"

export const replaySchema = z.strictObject({
  kind: z.literal("replay"),
  file: z.string(needed("--answers FILE, or describe.file in the settings")).min(1).describe("JSONL or CSV file"),
})

export async function openReplay(config: z.infer<typeof replaySchema>): Promise<LiveProvider> {
  const answers = new Map<string, string>()
  const models = new Set<string>()
  for await (const record of readRecords(config.file)) {
    if (record.model !== undefined) models.add(record.model)
    answers.set(`${record.clip}\u0000${record.prompt}`, record.answer)
  }
  if (answers.size === 0) {
    throw new FourtierError({
      where: config.file,
      what: "no answers in this file",
      fix: "see docs/describe.md for its form",
    })
  }
  return {
    mode: "live",
    kind: "replay",
    model: [...models].sort().join("+") || "unknown",
    settings: { source: await hashFile(config.file) },
    destination: null,
    looks: false,
    concurrency: { start: 1, most: 1 },
    async ask(question) {
      const [prompt] = question.prompts
      for (const name of names(question)) {
        const text = answers.get(`${name}\u0000${prompt.id}`)
        if (text !== undefined) return { text, inputTokens: null, outputTokens: null, finish: "stop" }
      }
      throw new ProviderError(
        "absent",
        `${config.file} has no answer to prompt ${prompt.id} for ${question.clip.relative}`,
      )
    },
  }
}

/** What a record may call the question's clip. */
function names({ clip }: Question): string[] {
  const window = clip.start === null && clip.end === null ? "" : `@${clip.start ?? ""}-${clip.end ?? ""}`
  return [clip.id, `${cleanPath(clip.relative)}${window}`]
}
