/**
 * `fourtier/ablate`: cells of settings side by side, with what they share computed once.
 *
 * 1. `definition.ts` an ablation as data; `built-in.ts` those of the paper
 * 2. `cells.ts` its cells; `answers.ts` whether what they need is there
 * 3. `bench.ts` what cells share; `cell.ts` one of them; `run.ts` all
 * 4. `results.ts` their figures; `tables.ts` the figures as tables
 *
 * @module
 */

export { BUILT_IN, type BuiltIn, builtIn } from "./built-in.ts"
export { type Cell, cellsOf, type Lacking } from "./cells.ts"
export { type Ablation, ablationSchema, readAblation } from "./definition.ts"
export { type AblationResults, parseAblationResults } from "./results.ts"
export { type AblationOptions, type AblationReport, runAblation } from "./run.ts"
