/**
 * Recorded answers from a file; nothing is sent anywhere. Two forms of JSONL line are read, and CSV:
 *
 *   {"path": "hug/a.avi", "answers": {"A": "...", "B": "..."}}     one line per clip
 *   {"path": "hug/a.avi", "prompt": "A", "answer": "..."}          one line per answer, as in `descriptions.jsonl` itself
 *   path,A,B,C,D  or  path,prompt,answer                           CSV with a header line
 *
 * A clip is found by `clip` (its id), or by `path` relative to the data folder, with `start` and `end` where it is a window
 * of a file.
 */

import { basename } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { hashFile } from "@fourtier/tensor/node"
import { cleanPath, readRecords } from "../answer-formats.ts"
import { Contradictions } from "../contradictions.ts"
import { type LiveProvider, ProviderError, type Question } from "../provider.ts"
import type { ReplaySettings } from "./replay-settings.ts"

/** Opens provider `replay`. @throws FourtierError when the file has no answers, or a line cannot be read */
export async function openReplay(config: ReplaySettings): Promise<LiveProvider> {
  const answers = new Map<string, string>()
  const models = new Set<string>()
  const twice = new Contradictions()
  // lines of JSON are a journal, in which a later answer takes the place of an earlier one
  const isSheet = !/\.jsonl$/i.test(config.file)
  for await (const record of readRecords(config.file)) {
    if (record.model !== undefined) models.add(record.model)
    if (isSheet) twice.note(record.clip, record.prompt, record.answer)
    answers.set(`${record.clip}\u0000${plain(record.prompt)}`, record.answer)
  }
  if (answers.size === 0) {
    throw new FourtierError({
      where: config.file,
      what: "no answers in this file",
      fix: "see docs/describe.md for the formats",
    })
  }
  return {
    mode: "live",
    kind: "replay",
    model: [...models].sort().join("+") || basename(config.file),
    settings: { source: await hashFile(config.file) },
    destination: null,
    doubt: twice.said,
    usesStrip: false,
    concurrency: { initial: 1, max: 1 },
    async ask(question) {
      const [prompt] = question.prompts
      for (const name of names(question)) {
        const [byId, byText] = [prompt.id, prompt.text].map((one) => answers.get(`${name}\u0000${plain(one)}`))
        const text = byId ?? byText
        if (text !== undefined) return { text, inputTokens: null, outputTokens: null, finish: "stop" }
      }
      throw new ProviderError("absent", `no answer in ${basename(config.file)}`)
    },
  }
}

/** A prompt's id or question, in whatever letters it is written. */
const plain = (text: string) => text.trim().toLowerCase().replaceAll(/\s+/g, " ")

/** The names under which a record may refer to the question's clip. */
function names({ clip }: Question): string[] {
  const window = clip.start === null && clip.end === null ? "" : `@${clip.start ?? ""}-${clip.end ?? ""}`
  return [clip.id, `${cleanPath(clip.relative)}${window}`]
}
