// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The part of WebAssembly that handlers use: Node.js's types lack it. It agrees with the types of a browser.
declare namespace WebAssembly {
  interface Module {}
  interface Instance {
    readonly exports: Exports;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(delta: number): number;
  }
  type Exports = Record<string, ExportValue>;
  type ExportValue = any;
  type ImportValue = any;
  type ModuleImports = Record<string, ImportValue>;
  type Imports = Record<string, ModuleImports>;
  var Module: { prototype: Module; new (bytes: Uint8Array<ArrayBuffer>): Module };
  var Instance: { prototype: Instance; new (module: Module, importObject?: Imports): Instance };
  var Memory: { prototype: Memory; new (descriptor: { initial: number; maximum?: number; shared?: boolean }): Memory };
  function instantiate(module: Module, importObject?: Imports): Promise<Instance>;
}
