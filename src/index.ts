/**
 * `fourtier`: from labelled clips to a small, fast action recogniser, taught with the help of a vision-language model.
 * In the order of the data flow:
 *
 *  1. video/      files → manifest → splits → sampled, transformed frames; key-frame strips
 *  2. describe/   strips → a VLM's answers to the prompts
 *  3. text/       answers → text embeddings e_i
 *  4. encoders/   frames → the frozen encoder's map m, stored once
 *  5. model/      processors, integration, blocks and classifier as graphs
 *  6. objective/  InfoNCE and soft cross-entropy
 *  7. train/      stage 1, stage 2 and the loop they share
 *  8. evaluate/   trials, metrics, intervals, the report
 *  9. deploy/     the bundle and `Recognizer`
 *  – tensor/      what 4 to 9 are built on: symbolic tensors, gradients, ONNX
 *
 * `recipe.ts` puts them together: read it first.
 */

export { type Config, configSchema, loadConfig, PRESETS } from "./config.ts"
export { type Bundle, bundleSchema, readBundle } from "./deploy/bundle.ts"
export { type Guess, type Recognition, type RecognizeOptions, Recognizer } from "./deploy/recognizer.ts"
export { type RecipeResult, runRecipe } from "./recipe.ts"
export { FourtierError } from "./util/errors.ts"
export { type Reporter, silent, terminalReporter } from "./util/progress.ts"
