/** The first stages: which clips there are, and which of them train, validate and test. */

import { plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { classesOf, namesOf } from "../classes.ts"
import { checkExcluded } from "../evaluate/comparability.ts"
import { learnsFromWords, trainedMethods } from "../requirements.ts"
import { cacheFolders, openCache } from "../util/cache-folders.ts"
import { checkClasses, checkSource, checkSplits } from "../video/checks.ts"
import { doctor } from "../video/doctor.ts"
import { tell } from "../video/findings.ts"
import { type Clip, classesOf as labelsOf, type Manifest } from "../video/manifest.ts"
import { checkMirroring, viewsFor } from "../video/mirroring.ts"
import { planSplits } from "../video/planned.ts"
import type { Source } from "../video/source.ts"
import { apartBackground, type Split } from "../video/splits.ts"
import type { StageContext } from "./context.ts"

/**
 * Measures every file of a data folder or table and writes the manifest. Unchanged files are not opened again. What is wrong with
 * names, tables and columns is told before.
 * @param training whether classes are to be learned, so that there must be some
 * @param checkMore what else has to hold before clips are measured, once it is known that there are some
 */
export async function measure(
  data: string,
  manifestPath: string,
  { config, reporter, signal }: StageContext,
  training = true,
  checkMore?: () => Promise<void>,
): Promise<Manifest> {
  const check = async (source: Source) => {
    const classes = namesOf(labelsOf(source.clips), config)
    const about = [
      ...checkSource(source, config.split),
      ...checkMirroring(classes, viewsFor(config.views, source.clips)),
    ]
    tell(training ? [...about, ...checkClasses(classes)] : about, reporter)
    checkExcluded(classes, config.exclude)
    await checkMore?.()
  }
  const workers = config.runtime.workers ?? undefined
  const { measurements } = await openCache(config.cache, reporter)
  const report = await doctor(data, manifestPath, reporter, { workers, signal, check, measurements })
  const { manifest } = report
  for (const note of report.notes) reporter.warn(note)
  if (manifest.quarantine.length > 0) {
    reporter.warn(`${plural(manifest.quarantine.length, "file")} cannot be used, see ${manifestPath}`)
  }
  tell(report.findings, reporter)
  return manifest
}

/** The context for these clips: their views are not mirrored where a table says that a side makes the class. */
export function contextFor(clips: readonly Pick<Clip, "columns">[], context: StageContext): StageContext {
  const { config, reporter } = context
  const views = viewsFor(config.views, clips)
  if (views === config.views) return context
  reporter.say("clips are not mirrored: the column sides says that left and right make the class")
  return { ...context, config: { ...config, views } }
}

/** The splits of a data set; a test part that is drawn is kept for good. */
export function splitsOf(data: string, manifest: Manifest, { config, reporter }: StageContext): Promise<Split[]> {
  const { tests } = cacheFolders(config.cache)
  return planSplits(data, manifest, config.split, { folder: tests, write: true, reporter })
}

/**
 * Which clips train, validate and test. Where none is held back for a test, `tested` is false and the test part holds the labelled
 * training clips: to prove the bundle with, not to report on.
 */
export async function plan(
  data: string,
  manifest: Manifest,
  { config, reporter }: StageContext,
): Promise<{ splits: Split[]; tested: boolean }> {
  const classes = classesOf(manifest, config)
  checkExcluded(classes, config.exclude)
  const splits = (await splitsOf(data, manifest, { config, reporter })).map(apartBackground)
  tell(checkSplits(splits), reporter)
  for (const { name, train } of splits) {
    const missing = classes.filter((label) => !train.some((clip) => clip.label === label))
    if (missing.length === 0 || (config.classes && (learnsFromWords(config) || trainedMethods(config).length === 0)))
      continue
    throw new FourtierError({
      where: `split ${name}`,
      what: "a class has no labelled training clip",
      found: missing.join(", "),
      fix: "label a clip of this class, remove the class, choose another split (or edit the kept test part, docs/data.md), or list all classes in `classes` and have the clips described",
    })
  }
  const [{ train }] = splits
  const unlabelled = train.filter(({ label }) => label === null)
  if (unlabelled.length > 0) {
    const use = !learnsFromWords(config)
      ? "none of the methods uses them"
      : config.pseudoLabels
        ? "they are pseudo-labelled from the answers about them"
        : "only stage 1 learns from them"
    reporter.say(
      `${plural(unlabelled.length, "training clip")} without a label (such as ${unlabelled[0].relative}): ${use}`,
    )
  }
  if (splits.some(({ test }) => test.length > 0)) return { splits, tested: true }
  reporter.warn(
    "no test clips: accuracy will not be measured. Too few clips are labelled, a group holds all clips of a class, or the configuration asks for no test; all clips are used for training",
  )
  const name = "all clips"
  return {
    splits: splits.map((split) => ({
      ...split,
      name,
      training: name,
      ...(split.background
        ? { background: { held: [...split.background.held, ...split.background.test], test: [] } }
        : {}),
      test: split.train.some(({ label }) => label !== null)
        ? split.train.filter(({ label }) => label !== null)
        : split.train,
    })),
    tested: false,
  }
}

/** Ids of the clips that train in some split. */
export function trainingClips(splits: readonly Split[]): Set<string> {
  return new Set(splits.flatMap(({ train }) => train.map(({ id }) => id)))
}
