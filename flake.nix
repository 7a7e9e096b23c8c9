{
  description = "A relay for Media over QUIC";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [ "x86_64-linux" "aarch64-linux" ];
      eachSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system} self.packages.${system});
    in
    {
      packages = eachSystem (pkgs: _: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "moq-relay";
          version = (lib.importTOML ./Cargo.toml).package.version;
          # The same as .dockerignore lets in.
          src = lib.fileset.toSource {
            root = ./.;
            fileset = lib.fileset.unions [ ./Cargo.lock ./Cargo.toml ./benches ./dev/localhost.toml ./src ];
          };
          cargoLock.lockFile = ./Cargo.lock;
          # dev/check runs the tests.
          doCheck = false;
          meta = {
            description = "A relay for Media over QUIC";
            license = with lib.licenses; [ mit asl20 ];
            mainProgram = "moq-relay";
          };
        };
      });

      apps = eachSystem (_: packages: {
        default = {
          type = "app";
          program = lib.getExe packages.default;
        };
      });

      devShells = eachSystem (pkgs: packages: {
        default = pkgs.mkShell {
          inputsFrom = [ packages.default ];
          packages = with pkgs; [ cargo-deny cargo-nextest clippy curl rust-analyzer rustfmt ];
        };
      });
    };
}
