`default_nettype none
// Encodings of the IOMMU's ports (docs/interfaces.md sections 3 and 4) and fault causes (RISC-V IOMMU, Fault/Event-Queue).
package iommu_pkg;

  // Translation response status.
  localparam [1:0] RESPONSE_SUCCESS = 2'd0;
  localparam [1:0] RESPONSE_UR = 2'd1;
  localparam [1:0] RESPONSE_CA = 2'd2;

  // Memory port operations.
  localparam [1:0] MEMORY_READ = 2'd0;
  localparam [1:0] MEMORY_WRITE = 2'd1;
  localparam [1:0] MEMORY_CAS64 = 2'd2;
  localparam [1:0] MEMORY_OR64 = 2'd3;

  // Bits of `permissions`.
  localparam int PERMISSION_R = 0;
  localparam int PERMISSION_W = 1;
  localparam int PERMISSION_X = 2;
  localparam int PERMISSION_PRIVILEGED = 3;
  localparam int PERMISSION_GLOBAL = 4;
  localparam int PERMISSION_UNTRANSLATED_ONLY = 5;
  localparam int PERMISSION_CXL_IO = 6;

endpackage
`default_nettype wire
