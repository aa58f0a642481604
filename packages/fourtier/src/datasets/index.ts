/**
 * `fourtier/datasets`: data sets of others, as they are distributed, become a plain table of clips.
 *
 * 1. `dataset.ts`   what a data set is; one object in a file of its own each, listed in `list.ts`
 * 2. `files.ts`     the files below a root; `lines.ts`, `classes.ts` annotations as lines, rows and names
 * 3. `collect.ts`   each clip once, found or missing, usable or not
 * 4. `write.ts`     the table
 *
 * @module
 */

export type { Counts, Fate } from "./collect.ts"
export type { AnnotatedClip, Dataset, DatasetRequest, Published } from "./dataset.ts"
export type { Files } from "./files.ts"
export { DATASETS, datasetNamed } from "./list.ts"
export { type DatasetReport, writeDataset } from "./write.ts"
