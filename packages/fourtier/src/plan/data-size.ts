/** How much there is to be worked on: of a published data set by its name, of a manifest or folder of clips by what is in it. */

import { existsSync } from "node:fs"
import { stat } from "node:fs/promises"
import { FourtierError } from "@fourtier/tensor"
import { DATASETS, datasetNamed } from "../datasets/list.ts"
import { readForeignText } from "../util/text.ts"
import { isManifest, readManifest } from "../video/manifest.ts"
import { scanSource } from "../video/source.ts"

export interface DataSize {
  title: string
  classes: number
  train: number
  /** Clips that are validated or tested with. */
  tested: number
  /** Means over the clips. */
  seconds: number
  width: number
  height: number
  bytes: number
  /** What of this is assumed rather than known. */
  assumed: readonly string[]
}

/** A clip as copies of Kinetics have them: ten seconds with a short side of 256, as `bench/decode.csv` has measured one. */
const TYPICAL = { seconds: 10, width: 340, height: 256, bytes: 344_000 }
const TYPICAL_TEXT = "clips of 10 s with 340×256 pixels in H.264, 0.34 MB each"

/**
 * The size of a data set.
 * @param data name of a published data set, or a manifest, table or folder
 * @param testShare of the clips, where nothing says which part they are in
 * @throws FourtierError where it is neither
 */
export async function dataSize(data: string, testShare: number): Promise<DataSize> {
  if (existsSync(data))
    return (await isManifestFile(data)) ? manifestSize(data, testShare) : scannedSize(data, testShare)
  const { title, published, reportsOnVal } = knownDataset(data)
  if (!published) {
    throw new FourtierError({
      where: data,
      what: `no size of ${title} is known`,
      expected: `one of ${named().join(", ")}, or a manifest, table or folder of clips`,
      fix: "give the table that `fourtier data` has made of it",
    })
  }
  const { parts, classes } = published
  const val = parts.val ?? 0
  const tested = reportsOnVal ? val : val + (parts.test ?? 0)
  return { title, classes, train: parts.train ?? 0, tested, ...TYPICAL, assumed: [TYPICAL_TEXT] }
}

const named = () => DATASETS.flatMap(({ name, published }) => (published ? [name] : []))

function knownDataset(data: string) {
  try {
    return datasetNamed(data)
  } catch (cause) {
    throw new FourtierError(
      {
        where: data,
        what: "neither data nor a data set whose size is known",
        expected: `a manifest, table or folder of clips, or one of ${named().join(", ")}`,
        fix: "correct the path or the name",
      },
      { cause },
    )
  }
}

async function isManifestFile(path: string): Promise<boolean> {
  return (await stat(path)).isFile() && isManifest(await readForeignText(path))
}

async function manifestSize(path: string, testShare: number): Promise<DataSize> {
  const { manifest } = await readManifest(path)
  const { clips, classes } = manifest
  const mean = (of: (clip: (typeof clips)[number]) => number) => {
    return clips.reduce((sum, clip) => sum + of(clip), 0) / Math.max(1, clips.length)
  }
  const { width, height, bytes: typical } = TYPICAL
  const pixels = mean((clip) => clip.width * clip.height) / (width * height)
  const seconds = mean((clip) => clip.duration)
  return {
    title: path,
    classes: classes.length,
    ...partsOf(clips, testShare),
    seconds,
    width: Math.round(mean((clip) => clip.width)),
    height: Math.round(mean((clip) => clip.height)),
    bytes: Math.round(typical * pixels * (seconds / TYPICAL.seconds)),
    assumed: ["bytes of a clip by its length and size, as H.264 of 340×256 has them"],
  }
}

async function scannedSize(path: string, testShare: number): Promise<DataSize> {
  const { clips } = await scanSource(path)
  const classes = new Set(clips.flatMap(({ labels }) => labels)).size
  return { title: path, classes, ...partsOf(clips, testShare), ...TYPICAL, assumed: [TYPICAL_TEXT] }
}

function partsOf(clips: readonly { split: string | null }[], testShare: number) {
  const train = clips.some(({ split }) => split !== null)
    ? clips.filter(({ split }) => split === "train").length
    : clips.length - Math.round(testShare * clips.length)
  return { train, tested: clips.length - train }
}
