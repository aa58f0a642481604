/** Processes of several machines that train together: who they are, and what they say to each other. */

export * from "./launch.ts"
export * from "./ranks.ts"
