/** Every data set that `fourtier data` reads. */

import { FourtierError, nearest } from "@fourtier/tensor"
import { activitynet } from "./activitynet.ts"
import { cvat } from "./cvat.ts"
import type { Dataset } from "./dataset.ts"
import { elan } from "./elan.ts"
import { hmdb51 } from "./hmdb51.ts"
import { huggingface } from "./huggingface.ts"
import { kinetics400, kinetics600, kinetics700 } from "./kinetics.ts"
import { kinetics710 } from "./kinetics710.ts"
import { labelStudio } from "./label-studio.ts"
import { mmaction2, videomae } from "./lists.ts"
import { segments } from "./segment-table.ts"
import { somethingV2 } from "./something.ts"
import { ucf101 } from "./ucf101.ts"
import { utInteraction } from "./ut-interaction.ts"
import { via } from "./via.ts"
import { webdataset } from "./webdataset.ts"
import { xAnyLabeling } from "./x-anylabeling.ts"

export const DATASETS: readonly Dataset[] = [
  kinetics400,
  kinetics600,
  kinetics700,
  kinetics710,
  somethingV2,
  ucf101,
  hmdb51,
  utInteraction,
  mmaction2,
  videomae,
  huggingface,
  webdataset,
  segments,
  activitynet,
  labelStudio,
  cvat,
  elan,
  via,
  xAnyLabeling,
]

/**
 * A data set by its name.
 * @throws FourtierError for an unknown name
 *
 * @example
 * ```ts
 * import { datasetNamed } from "fourtier/datasets"
 *
 * datasetNamed("ucf101").published?.classes // 101
 * ```
 */
export function datasetNamed(name: string): Dataset {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "")
  const found = DATASETS.find((one) => plain(one.name) === plain(name))
  if (found !== undefined) return found
  const names = DATASETS.map((one) => one.name)
  const close = nearest(name, names)
  throw new FourtierError({
    what: `no data set "${name}"`,
    expected: `one of ${names.join(", ")}`,
    fix: close === undefined ? "see fourtier data --list" : `did you mean ${close}?`,
  })
}
