/**
 * `@fourtier/puppets`: the rendered clip set: jointed figures doing things in six places, labelled, split and, for the demo's training clips,
 * described.
 *
 * 1. `plan.ts`: which clips there are, who, how, where, from which side
 * 2. `acts*.ts`, `performance.ts`, `pose.ts`: what figures do, as poses in time
 * 3. `skeleton.ts`, `person.ts`: poses and bodies to joints
 * 4. `figure.ts`, `head.ts`, `props.ts`, `furniture.ts`, `mesh.ts`: joints and things to triangles
 * 5. `scenes*.ts`, `materials.ts`, `noise.ts`, `world.ts`: the places
 * 6. `canvas.ts`, `camera.ts`, `clip.ts`: triangles to pictures
 * 7. `encode.ts`, `generate.ts`, `sheet.ts`: pictures to files
 * 8. `company-plan.ts`, `company.ts`, `ava-set.ts`: several figures in one video, with their boxes, laid out as AVA is
 * 9. `acts-idle.ts`, `take-plan.ts`, `take.ts`, `take-set.ts`: long takes of several actions in a row, with their spans
 *
 * @module
 */

import { fileURLToPath } from "node:url"

export { type ActionName, actionNames, orderPairs } from "./acts.ts"
export { type AvaSetOptions, avaParts, generateAvaSet } from "./ava-set.ts"
export type { CompanySpec, Member } from "./company.ts"
export {
  type CompanyOptions,
  companyCounts,
  companyCountsFor,
  companyScenes,
  type PlannedCompany,
  planCompanies,
} from "./company-plan.ts"
export { type Generated, type GenerateOptions, generatePuppets, PUPPETS_VERSION } from "./generate.ts"
export {
  type Counts,
  countsFor,
  demoClasses,
  demoCounts,
  homes,
  type PlannedClip,
  type PlanOptions,
  parseClasses,
  planClips,
  type SplitName,
  splitNames,
} from "./plan.ts"
export { writeSheet } from "./sheet.ts"
export type { TakeItem, TakeSpec } from "./take.ts"
export {
  type PlannedTake,
  planTakes,
  type TakeOptions,
  type TakeSpan,
  takeCounts,
  takeCountsFor,
} from "./take-plan.ts"
export { generateTakes, type TakeSetOptions } from "./take-set.ts"

/** The seed that the recorded descriptions belong to. */
export const DESCRIBED_SEED = 1

/**
 * Path of the recorded answers to the four prompts, one JSON line a training clip of the default set with seed
 * `DESCRIBED_SEED`: `{path, model, key_frames, answers: {A, B, C, D}}`, paths as in the set's manifest.
 *
 * @example
 * ```ts
 * import { puppetDescriptions } from "@fourtier/puppets"
 *
 * puppetDescriptions() // "…/node_modules/@fourtier/puppets/descriptions.jsonl"
 * ```
 */
export function puppetDescriptions(): string {
  return fileURLToPath(new URL("../descriptions.jsonl", import.meta.url))
}
