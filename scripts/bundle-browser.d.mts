/** Builds the bundles for browsers into `folder` and puts the engine's files beside them. */
export declare function bundleForBrowsers(folder: string): Promise<void>;
