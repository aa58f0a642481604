/**
 * Whether the answers that a cell learns from are there. An ablation asks no model anything, paid or not: where answers are missing,
 * it says so, and which command asks for them.
 */

import { basename } from "node:path"
import { hashJson } from "@fourtier/tensor/node"
import type { Config } from "../config.ts"
import { readRecords } from "../describe/answer-formats.ts"
import { providerBeside } from "../describe/beside.ts"
import { promptsOf } from "../requirements.ts"
import { countMissingAnswers, type StageContext } from "../stages/index.ts"
import type { Clip } from "../video/manifest.ts"
import type { Lacking } from "./cells.ts"

export interface Asked {
  data: string
  clips: readonly Clip[]
  /** Ids of those that train. */
  training: ReadonlySet<string>
  /** The configuration that the cells are laid over. */
  base: Pick<Config, "describe" | "keyFrames">
}

/** What is missing of the answers for a configuration; null where all is there. */
export async function lackingAnswers(asked: Asked, context: StageContext): Promise<Lacking | null> {
  const { config } = context
  const { data, clips, training, base } = asked
  const K = config.keyFrames.count
  const source = config.describe ?? providerBeside(data)
  if (source === null) return { reason: "no answers beside the clips, and no provider", fix: askFor(data, K) }
  if (source.kind === "replay") {
    const found = await keyFramesOf(source.file)
    const isOwn = hashJson(config.describe) !== hashJson(base.describe)
    const about = found ?? (isOwn ? K : base.keyFrames.count)
    if (about === K) return null
    const told = found === null ? "are taken for answers" : "are"
    return {
      reason: `the answers in ${basename(source.file)} ${told} about strips of ${about} key frames`,
      fix: askFor(data, K),
    }
  }
  const prompts = promptsOf(config)
  const missing = await countMissingAnswers(data, clips, training, prompts, context)
  if (missing === 0) return null
  const wanted = training.size * prompts.prompts.length
  const who = source.model
  return {
    reason: `${missing} of ${wanted} answers of ${who} about strips of ${K} key frames are missing`,
    fix: `fourtier describe ${data} -c <config> --frames ${K} --provider ${source.kind} --model ${who}`,
  }
}

function askFor(data: string, K: number): string {
  return `fourtier describe ${data} --frames ${K} --provider <kind> --model <name>, with the same provider as \`describe\` in the configuration; or put recorded answers beside the clips as descriptions.k${K}.jsonl`
}

/** How many key frames the strips had that the recorded answers are about; null where the file does not say. */
async function keyFramesOf(file: string): Promise<number | null> {
  for await (const { keyFrames } of readRecords(file)) return keyFrames ?? null
  return null
}
