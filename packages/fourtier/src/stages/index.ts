/**
 * The stages of the recipe, each a function from files to files. They meet on disk alone, so each can be run, resumed and
 * looked at by itself; the command line has a verb for each.
 */

export type { StageContext } from "./context.ts"
export { contextFor, measure, plan, splitsOf, trainingClips } from "./data.ts"
export { closeFeatures, extract, extractDivided, type Features, learnsBackground, withoutFailed } from "./features.ts"
export { checkAnswerSources, checkSources } from "./sources.ts"
export { testedViews, type ViewRecipes, viewRecipes } from "./views.ts"
export { countMissingAnswers, describeClips, embedTexts, stripOf, withDescribing } from "./words.ts"
export { type ClassSpace, embedClassTexts, zeroShotScores } from "./zero-shot.ts"
