/** From the options of `fourtier describe` to a run. */

import type { Reporter } from "@fourtier/core"
import { FourtierError, nearest } from "@fourtier/tensor"
import { parse } from "yaml"
import { z } from "zod"
import type { Config } from "../../config.ts"
import { providerBeside } from "../../describe/beside.ts"
import { parseBudget } from "../../describe/budget.ts"
import { folderStrips, personStrips, stripFolder } from "../../describe/folder-strips.ts"
import type { DescribeOptions } from "../../describe/options.ts"
import { readPrices } from "../../describe/price-file.ts"
import { resolvePrompts } from "../../describe/prompts.ts"
import type { DescribedClip } from "../../describe/provider.ts"
import { openProvider } from "../../describe/providers.ts"
import { type PromptsConfig, type ProviderConfig, promptsSchema, providerSchema } from "../../describe/settings.ts"
import { takeOverAnswers } from "../../describe/take-over.ts"
import { cacheFolders, openCache } from "../../util/cache-folders.ts"
import { doctor } from "../../video/doctor.ts"
import { tell } from "../../video/findings.ts"
import type { Manifest } from "../../video/manifest.ts"
import { type PlanOptions, planSplits } from "../../video/planned.ts"
import type { Source } from "../../video/source.ts"
import { readTested, type Tested } from "../../video/tested.ts"
import type { DataOptions, QuestionOptions, SharedRunOptions } from "../describe-options.ts"
import { loadPeople } from "./describe-people.ts"
import { divisionOf } from "./division.ts"
import { defaultManifest } from "./folders.ts"
import { oneOf } from "./one-of.ts"
import { readConfig } from "./read-config.ts"

export async function readSettings({ config, preset, set }: DataOptions): Promise<Config> {
  return (await readConfig({ config, preset, set })).value
}

/** The clips of a data set and the path of the answers; those of an earlier version's cache are taken over. */
export async function loadClips(data: string, options: DataOptions, reporter: Reporter) {
  const config = await readSettings(options)
  const { clips, cachePath } = await loadData(data, options, config, reporter)
  return { clips, cachePath, config }
}

/** @returns the manifest as well, or for annotations of people what is known of them instead */
async function loadData(data: string, options: DataOptions, config: Config, reporter: Reporter) {
  const { answers, measurements, older } = await openCache(config.cache, reporter)
  const cachePath = options.cache ?? answers
  if (older && options.cache === undefined) await takeOverAnswers(older.answers, answers, reporter)
  if (options.subject !== undefined) {
    const people = await loadPeople(data, options.subject, options, reporter)
    return { clips: people.clips, people, cachePath }
  }
  const check = ({ findings }: Source) => tell(findings, reporter)
  const out = options.manifest ?? defaultManifest(data)
  const { manifest } = await doctor(data, out, reporter, { check, measurements })
  return { clips: manifest.clips, manifest, cachePath }
}

/** Clips, prompts and strips, and which clips may be described. */
export async function readScope(data: string, options: QuestionOptions & { estimate?: boolean }, reporter: Reporter) {
  const config = await readSettings(options)
  const { clips, cachePath, people, manifest } = await loadData(data, options, config, reporter)
  const plan = { folder: cacheFolders(config.cache).tests, write: options.estimate !== true, reporter }
  const { parts, tested } = people
    ? { parts: people.parts, tested: await readTested(plan.folder) }
    : await partsOf(data, manifest, config, plan)
  const { count, height } = config.keyFrames
  const strip = { frames: options.frames ?? count, height: options.height ?? height }
  const folder = stripFolder(cachePath)
  return {
    config,
    clips,
    cachePath,
    mayDescribe: chosenClips(clips, parts, options),
    tested,
    prompts: resolvePrompts(options.prompts === undefined ? config.prompts : parsePrompts(options.prompts)),
    strips: people?.regions ? personStrips(folder, strip, people.regions) : folderStrips(folder, strip),
  }
}

/** Everything that a run needs; its provider is open. */
export async function openRun(data: string, options: SharedRunOptions, reporter: Reporter): Promise<DescribeOptions> {
  const { ask, language, prices, budget, limit, retries } = options
  const limits = {
    ...(ask === undefined ? {} : { ask: oneOf("--ask", ask, ["separate", "together"]) }),
    ...(language === undefined ? {} : { checks: { language: oneOf("--language", language, ["en", "any"]) } }),
    ...(prices === undefined ? {} : { prices: await readPrices(prices) }),
    ...(budget === undefined ? {} : { budget: parseBudget(budget) }),
    ...(limit === undefined ? {} : { limit }),
    ...(retries === undefined ? {} : { retries }),
  }
  const { config, ...scope } = await readScope(data, options, reporter)
  const { work } = cacheFolders(config.cache)
  const division = options.estimate || options.flagged ? undefined : divisionOf(options, work, reporter)
  const provider = await openProvider(providerOf(config.describe ?? providerBeside(data), options))
  return {
    ...scope,
    ...limits,
    provider,
    retryFlagged: options.flagged === true,
    reporter,
    collect: false,
    ...(division ? { division } : {}),
  }
}

/** Whether a model is named anywhere. */
export function namesProvider({ describe }: Config, { provider, answers }: QuestionOptions): boolean {
  return describe !== null || provider !== undefined || answers !== undefined
}

function parsePrompts(text: string): PromptsConfig {
  const parsed = promptsSchema.safeParse(parse(text))
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: "--prompts",
    what: "not a list of prompts",
    expected: "paper, motion or [A, B]",
    found: text,
  })
}

/** The provider of the config, with the options over it. An option that names another kind starts afresh. */
function providerOf(configured: Config["describe"], options: QuestionOptions): ProviderConfig {
  const { answers: file, model, baseUrl, url } = options
  const text = options.provider ?? (file === undefined ? undefined : "replay")
  const given: unknown = text === undefined ? (configured ?? {}) : parse(text)
  const named = z.record(z.string(), z.unknown()).safeParse(typeof given === "string" ? { kind: given } : given)
  if (!named.success || named.data.kind === undefined) {
    throw new FourtierError({
      where: "describe",
      what: "no model is named",
      fix: "give --provider openai --model gpt-4o, or --answers FILE, or -c with a section `describe` (docs/describe.md)",
    })
  }
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
    ...(secret ? { fix: "do not write keys into settings: name a variable with keyEnv or a file with keyFile" } : {}),
  })
}

/**
 * The part of each clip as `fourtier run` splits the data: train, val, test, or the name of a further test part; and which clips are
 * or have been test clips.
 */
async function partsOf(data: string, manifest: Manifest, { split }: Config, plan: PlanOptions) {
  const allowQuarantined = manifest.quarantine.map(({ relative }) => relative)
  const parts = new Map<string, string>()
  const put = (clips: readonly DescribedClip[], part: string) => {
    for (const { id } of clips) if (!parts.has(id)) parts.set(id, part)
  }
  const splits = await planSplits(data, manifest, { ...split, allowQuarantined }, plan)
  for (const { train } of splits) put(train, "train")
  for (const { val } of splits) put(val, "val")
  for (const { name, test } of splits) put(test, name.startsWith("test-") ? name : "test")
  const before = await readTested(plan.folder)
  const now = new Set(splits.flatMap(({ fold, test }) => (fold ? [] : test.map(({ hash }) => hash))))
  const tested: Tested = { has: (clip) => now.has(clip.hash) || before.has(clip) }
  return { parts, tested }
}

/** The clips that are named, or those of the parts that are named, or those that `fourtier run` trains on. */
function chosenClips(
  clips: readonly DescribedClip[],
  parts: ReadonlyMap<string, string>,
  options: QuestionOptions,
): (clip: DescribedClip) => boolean {
  if (options.clips !== undefined) {
    const named = new Set(options.clips.split(",").map((id) => id.trim()))
    const known = new Set(clips.flatMap(({ id, relative }) => [id, relative]))
    for (const id of named) {
      if (known.has(id)) continue
      const near = nearest(id, known)
      const fix = near === undefined ? {} : { fix: `did you mean "${near}"?` }
      throw new FourtierError({ where: "--clips", what: `there is no clip "${id}"`, ...fix })
    }
    return ({ id, relative }) => named.has(id) || named.has(relative)
  }
  const partOf = ({ id }: DescribedClip) => parts.get(id) ?? "none"
  if (options.splits === undefined) return (clip) => partOf(clip) === "train"
  const splits = options.splits.split(",").map((name) => name.trim())
  const known = new Set(clips.map(partOf))
  for (const split of splits) {
    if (known.has(split)) continue
    const expected = [...known].sort().join(", ")
    throw new FourtierError({ where: "--splits", what: `there is no part "${split}"`, expected })
  }
  return (clip) => splits.includes(partOf(clip))
}
