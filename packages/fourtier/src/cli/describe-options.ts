/** Options of `fourtier describe`. Settings are those of `fourtier run`, so that it finds the answers. */

import type { Command } from "commander"
import { DATA, numberIn, settingsOptions, wholeNumber } from "./options.ts"
import type { ShardOptions } from "./shard-options.ts"

/** Where the files of a data set are kept. */
export interface DataOptions {
  config?: string
  preset?: string
  set?: string[]
  cache?: string
  manifest?: string
  subject?: string
  window?: number
  every?: number
  frameRate?: number
}

/** Which clips and questions are meant, and which model answers: what identifies an answer. */
export interface QuestionOptions extends DataOptions {
  provider?: string
  answers?: string
  model?: string
  baseUrl?: string
  url?: string
  prompts?: string
  frames?: number
  height?: number
  splits?: string
  clips?: string
}

/** What a run may do and spend. */
export interface RunOptions extends QuestionOptions {
  ask?: string
  estimate?: boolean
  budget?: string
  limit?: number
  prices?: string
  retries?: number
  language?: string
  flagged?: boolean
}

export type SharedRunOptions = RunOptions & ShardOptions

export function dataOptions(command: Command): Command {
  return settingsOptions(command.argument("<data>", DATA))
    .option("--cache <file>", "file with the answers (default: descriptions.jsonl in the cache)")
    .option("--manifest <file>", "manifest to use and update (default: runs/<data>/manifest.jsonl)")
    .option(
      "--subject <whom>",
      "the data are those of `fourtier detection`: describe key frames (clip), or each person in them (person)",
    )
    .option(
      "--window <seconds>",
      "with --subject: length of the clip around a key frame (default: 2)",
      numberIn(0.1, 60),
    )
    .option(
      "--every <seconds>",
      "with --subject: between key frames, in a CSV or CVAT's XML (default: 1)",
      numberIn(0, 3600),
    )
    .option(
      "--frame-rate <n>",
      "with --subject: frames a second in folders of extracted frames (default: 30)",
      numberIn(0.01, 1000),
    )
}

export function questionOptions(command: Command): Command {
  return dataOptions(command)
    .option("-p, --provider <kind>", "openai, openai-batch, http, transformers, llama or replay; or {kind: ..., ...}")
    .option("-m, --model <name>", "model to ask")
    .option("--base-url <url>", "OpenAI-compatible server, for example http://127.0.0.1:11434/v1")
    .option("--url <url>", "server of provider http")
    .option("--answers <file>", "recorded answers (JSONL or CSV), for provider replay")
    .option("--prompts <list>", "paper, motion, or a list of the paper's prompts such as [A, B]")
    .option("-k, --frames <n>", "key frames per strip", wholeNumber)
    .option("--height <n>", "height of the strip in pixels", wholeNumber)
    .option(
      "--splits <names>",
      "describe the clips of these parts: train, val, test, test-... (default: train, as `fourtier run` splits the data)",
    )
    .option("--clips <ids>", "describe only these clips, whatever part they are in")
}

export function runOptions(command: Command): Command {
  return questionOptions(command)
    .option(
      "--ask <how>",
      "separate: one request per prompt (default); together: one for all prompts of a clip, with one upload",
    )
    .option("--estimate", "print what it would cost, and send nothing")
    .option("--budget <amount>", "stop before more than this is spent, for example 5usd")
    .option("--limit <n>", "send at most this many requests", wholeNumber)
    .option("--prices <file>", "price file (`fourtier describe prices` prints one to start from)")
    .option("--retries <n>", "attempts after the first (default: 8)", wholeNumber)
    .option("--language <name>", "en: flag answers in other languages (default); any: allow all languages")
}
