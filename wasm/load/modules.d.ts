/** What a `.wasm` file is to those who import it: a compiled module, on runtimes that allow it. */
declare module '*.wasm' {
  const module: WebAssembly.Module;

  export { module as default };
}
