/** From the command line to a describing run. Settings are those of `fourtier run`, so that it finds the answers. */

import { join } from "node:path"
import type { Reporter } from "@fourtier/core"
import { FourtierError, nearest } from "@fourtier/tensor"
import type { Command } from "commander"
import { parse } from "yaml"
import { z } from "zod"
import type { Config } from "../config.ts"
import {
  type DescribedClip,
  type DescribeOptions,
  folderStrips,
  openProvider,
  parseBudget,
  promptsSchema,
  providerSchema,
  readPrices,
  resolvePrompts,
  stripFolder,
} from "../describe/index.ts"
import { doctor, type Manifest, resolveSplits } from "../video/index.ts"
import { defaultManifest, wholeNumber } from "./doctor.ts"
import { readConfig } from "./shared.ts"

const DATA = "folder of class folders, folder with tables, or a CSV, TSV or JSONL file"

export interface WhereFlags {
  config?: string
  preset?: string
  set?: string[]
  cache?: string
  manifest?: string
}

export interface AskFlags extends WhereFlags {
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

export interface RunFlags extends AskFlags {
  ask?: "separate" | "together"
  estimate?: boolean
  budget?: number
  limit?: number
  prices?: string
  retries?: number
  language?: "en" | "any"
  flagged?: boolean
}

/** Where the data set's files are kept. */
export function whereFlags(command: Command): Command {
  return command
    .argument("<data>", DATA)
    .option("-c, --config <file>", "YAML or JSON file of settings, as for `fourtier run`")
    .option("--set <a.b=c...>", "single settings, above the file's")
    .option("--cache <file>", "where answers are kept (default: .fourtier/descriptions.jsonl)")
    .option("--manifest <file>", "manifest to use and keep (default: runs/<data>/manifest.jsonl)")
}

/** What decides an answer's identity, and which clips are meant. */
export function askFlags(command: Command): Command {
  return whereFlags(command)
    .option("-p, --provider <kind>", "openai, openai-batch, http, transformers, llama or replay; or {kind: ..., ...}")
    .option("-m, --model <name>", "model to ask")
    .option("--base-url <url>", "OpenAI-compatible server, for example http://127.0.0.1:11434/v1")
    .option("--url <url>", "server of provider http")
    .option("--answers <file>", "recorded answers (JSONL or CSV): provider replay")
    .option("--prompts <list>", "paper, motion, or some of the paper's such as [A, B]")
    .option("-k, --frames <n>", "key frames a strip", wholeNumber)
    .option("--height <n>", "height of a strip in pixels", wholeNumber)
    .option(
      "--splits <names>",
      "describe clips of these parts: train, val, test, test-… (default: train, as `fourtier run` splits the data)",
    )
    .option("--clips <ids>", "describe these clips only, test clips too")
}

/** What a run may do and spend. */
export function runFlags(command: Command): Command {
  return askFlags(command)
    .option("--ask <how>", "separate: one request a prompt; together: one for all prompts of a clip")
    .option("--estimate", "print what it would cost, and send nothing")
    .option("--budget <amount>", "stop before more than this is spent, for example 5usd", parseBudget)
    .option("--limit <n>", "requests at most", wholeNumber)
    .option("--prices <file>", "price file (`fourtier describe prices` prints one to start from)")
    .option("--retries <n>", "tries after the first (default: 8)", wholeNumber)
    .option("--language <name>", "en: flag answers in other languages; any: do not")
}

export async function loadConfig(flags: WhereFlags): Promise<Config> {
  return (await readConfig({ config: flags.config, preset: flags.preset, set: flags.set })).value
}

export function cacheOf(flags: WhereFlags, config: Config): string {
  return flags.cache ?? join(config.cache, "descriptions.jsonl")
}

/** The clips of a data set; files that have not changed are not opened again. */
export async function loadClips(data: string, flags: WhereFlags, reporter: Reporter): Promise<DescribedClip[]> {
  return (await loadManifest(data, flags, reporter)).clips
}

async function loadManifest(data: string, flags: WhereFlags, reporter: Reporter): Promise<Manifest> {
  return (await doctor(data, flags.manifest ?? defaultManifest(data), reporter)).manifest
}

/** Clips, prompts, strips and guard of a run. */
export async function scopeOf(data: string, flags: AskFlags, reporter: Reporter) {
  const config = await loadConfig(flags)
  const cachePath = cacheOf(flags, config)
  const manifest = await loadManifest(data, flags, reporter)
  const { clips } = manifest
  const strip = { frames: flags.frames ?? config.keyFrames.count, height: flags.height ?? config.keyFrames.height }
  return {
    config,
    clips,
    cachePath,
    mayDescribe: guard(clips, partsOf(manifest, config), flags),
    prompts: resolvePrompts(flags.prompts === undefined ? config.prompts : promptsOf(flags.prompts)),
    strips: folderStrips(stripFolder(cachePath), strip),
  }
}

/** Everything that a run needs, its provider open. */
export async function openRun(data: string, flags: RunFlags, reporter: Reporter): Promise<DescribeOptions> {
  const { config, ...scope } = await scopeOf(data, flags, reporter)
  return {
    ...scope,
    provider: await openProvider(providerOf(config.describe, flags)),
    retryFlagged: flags.flagged === true,
    reporter,
    collect: false,
    ...(flags.ask === undefined ? {} : { ask: z.enum(["separate", "together"]).parse(flags.ask) }),
    ...(flags.language === undefined ? {} : { checks: { language: z.enum(["en", "any"]).parse(flags.language) } }),
    ...(flags.prices === undefined ? {} : { prices: await readPrices(flags.prices) }),
    ...(flags.budget === undefined ? {} : { budget: flags.budget }),
    ...(flags.limit === undefined ? {} : { limit: flags.limit }),
    ...(flags.retries === undefined ? {} : { retries: flags.retries }),
  }
}

function promptsOf(text: string): z.input<typeof promptsSchema> {
  const parsed = promptsSchema.safeParse(parse(text))
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: "--prompts",
    what: "not a list of prompts",
    expected: "paper, motion or [A, B]",
    found: text,
  })
}

/** The config's provider with the flags over it; another kind starts afresh. */
export function providerOf(configured: Config["describe"], flags: AskFlags): z.output<typeof providerSchema> {
  const text = flags.provider ?? (flags.answers === undefined ? undefined : "replay")
  const given: unknown = text === undefined ? (configured ?? {}) : parse(text)
  const named = z.record(z.string(), z.unknown()).safeParse(typeof given === "string" ? { kind: given } : given)
  if (!named.success || named.data.kind === undefined) {
    throw new FourtierError({
      where: "describe",
      what: "nothing says which model to ask",
      fix: "give --provider openai --model gpt-4o, or --answers FILE, or a `describe` section with -c; see docs/describe.md",
    })
  }
  const { model, baseUrl, url, answers: file } = flags
  const over = Object.entries({ model, baseUrl, url, file }).filter(([, value]) => value !== undefined)
  const base = configured?.kind === named.data.kind ? configured : {}
  const parsed = providerSchema.safeParse({ ...base, ...named.data, ...Object.fromEntries(over) })
  if (parsed.success) return parsed.data
  const unknown = parsed.error.issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []))
  const secret = unknown.some((name) => /key|token/i.test(name))
  throw new FourtierError({
    where: "provider",
    what: "the settings are not valid",
    found: z.prettifyError(parsed.error).replaceAll("\n", "\n            "),
    ...(secret ? { fix: "keys are not written in settings: name a variable with keyEnv or a file with keyFile" } : {}),
  })
}

/** By clip, its part as `fourtier run` would split the data: train, val, test, or the name of a further test part. */
function partsOf(manifest: Manifest, { split }: Config): Map<string, string> {
  const allowQuarantined = manifest.quarantine.map(({ relative }) => relative)
  const parts = new Map<string, string>()
  const put = (clips: readonly DescribedClip[], part: string) => {
    for (const { id } of clips) if (!parts.has(id)) parts.set(id, part)
  }
  const splits = resolveSplits(manifest, { ...split, allowQuarantined })
  for (const { train } of splits) put(train, "train")
  for (const { val } of splits) put(val, "val")
  for (const { name, test } of splits) put(test, name.startsWith("test-") ? name : "test")
  return parts
}

/** Which clips may be described: those named, those of the parts named, or those that `fourtier run` trains on. */
function guard(
  clips: readonly DescribedClip[],
  parts: ReadonlyMap<string, string>,
  flags: AskFlags,
): (clip: DescribedClip) => boolean {
  if (flags.clips !== undefined) {
    const named = new Set(flags.clips.split(",").map((id) => id.trim()))
    const known = new Set(clips.flatMap(({ id, relative }) => [id, relative]))
    for (const id of named) {
      if (known.has(id)) continue
      const near = nearest(id, known)
      const fix = near === undefined ? {} : { fix: `did you mean "${near}"?` }
      throw new FourtierError({ where: "--clips", what: `no clip "${id}"`, ...fix })
    }
    return ({ id, relative }) => named.has(id) || named.has(relative)
  }
  const partOf = ({ id }: DescribedClip) => parts.get(id) ?? "none"
  if (flags.splits === undefined) return (clip) => partOf(clip) === "train"
  const splits = flags.splits.split(",").map((name) => name.trim())
  const known = new Set(clips.map(partOf))
  for (const split of splits) {
    if (known.has(split)) continue
    throw new FourtierError({ where: "--splits", what: `no split "${split}"`, expected: [...known].sort().join(", ") })
  }
  return (clip) => splits.includes(partOf(clip))
}
