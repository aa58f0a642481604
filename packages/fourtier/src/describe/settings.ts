/** What a config may say about descriptions: which prompts are put to the model, and which model answers. */

export { type PromptsConfig, promptsSchema } from "./prompt-settings.ts"
export { type ProviderConfig, providerSchema } from "./providers.ts"
