/**
 * `fourtier`: from labelled clips to a small, fast action recogniser, taught with the help of a vision-language model.
 * In the order of the data flow:
 *
 *  1. `fourtier/video`       files → manifest → splits → decoded frames → views; key-frame strips
 *  2. `fourtier/describe`    strips → a VLM's answers to the prompts
 *  3. `fourtier/text`        answers → text embeddings e_i
 *  4. `fourtier/encoders`    frames → the frozen encoder's map m
 *  5. `fourtier/features`    m, s and t on disk, computed once
 *  6. `fourtier/experiment`  stage 1, stage 2 and the baselines, split by split
 *  7. `fourtier/evaluate`    methods side by side, with intervals; `fourtier/report` shows them
 *  8. `fourtier/deploy`      the bundle and `Recognizer`
 *  9. `fourtier/detection`   several people in a picture: who does what, where
 * 10. `fourtier/ablate`      settings side by side, cell by cell
 * 11. `fourtier/shards`      work that several machines share, and how far it is
 *
 * `recipe.ts` puts them together: read it first. The network, its losses and the training loop are `@fourtier/core`; what
 * they are built on is `@fourtier/tensor`.
 *
 * @module
 */

export { type Reporter, silent } from "@fourtier/core"
export { type Bundle, bundleSchema, type Guess, type Recognition } from "@fourtier/core/bundle"
export { terminalReporter } from "@fourtier/core/node"
export { FourtierError } from "@fourtier/tensor"
export { alignSets } from "./align.ts"
export { type Config, type ConfigOptions, configSchema, loadConfig, PRESETS } from "./config.ts"
export { readBundle } from "./deploy/folder.ts"
export { type RecognizeOptions, Recognizer } from "./deploy/recognizer.ts"
export { type Launch, launchOf, Ranks, type Traffic } from "./mpi/index.ts"
export { type RecipeResult, runRecipe, type Until } from "./recipe.ts"
export type { StageContext } from "./stages/index.ts"
export { type CacheFolders, cacheFolders, userCache } from "./util/cache-folders.ts"
export type { Settings, SettingsTree } from "./util/settings.ts"
export { type Lap, StageClock } from "./util/stage-clock.ts"
