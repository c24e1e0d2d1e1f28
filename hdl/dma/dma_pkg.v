`default_nettype none
// Encodings of the DMA engine (docs/interfaces.md section 7) and the memory request header it sends.
package dma_pkg;

  // Operation codes, descriptor dword 0 [3:0].
  localparam [3:0] OPCODE_NOP = 4'd0;
  localparam [3:0] OPCODE_COPY = 4'd1;
  localparam [3:0] OPCODE_FLUSH = 4'd2;

  // Address spaces, descriptor dword 0 [5:4] and [7:6].
  localparam [1:0] SPACE_HOST = 2'd0;
  localparam [1:0] SPACE_LOCAL = 2'd1;
  localparam [1:0] SPACE_PEER = 2'd2;

  // Status codes of an operation.
  localparam [3:0] STATUS_SUCCESS = 4'd0;
  localparam [3:0] STATUS_UNSUPPORTED_REQUEST = 4'd1;
  localparam [3:0] STATUS_COMPLETER_ABORT = 4'd2;
  localparam [3:0] STATUS_POISONED = 4'd3;
  localparam [3:0] STATUS_COMPLETION_TIMEOUT = 4'd4;
  localparam [3:0] STATUS_INVALID_DESCRIPTOR = 4'd5;
  localparam [3:0] STATUS_ABORTED = 4'd6;
  localparam [3:0] STATUS_BUS_MASTER_DISABLED = 4'd7;
  localparam [3:0] STATUS_LOCAL_RANGE = 4'd8;
  localparam [3:0] STATUS_MALFORMED_COMPLETION = 4'd9;

  // Bytes of a range that starts `lead` bytes into its first DW, rounded up to DWs: 1..1024 (0 bytes ask for 1 DW).
  function automatic [10:0] span_dwords;
    input [1:0] lead;
    input [12:0] length;
    reg [12:0] rounded;
    begin
      rounded = length + {11'd0, lead} + 13'd3;
      span_dwords = (length == 13'd0) ? 11'd1 : rounded[12:2];
    end
  endfunction

  // First byte enables of a dense range; 0 bytes give 0000, the zero-length request.
  function automatic [3:0] first_byte_enables;
    input [1:0] lead;
    input [12:0] length;
    reg [3:0] upto;
    begin
      if (length + {11'd0, lead} >= 13'd4) upto = 4'b1111;
      else upto = ~(4'b1111 << (length[2:0] + {1'b0, lead}));
      first_byte_enables = upto & (4'b1111 << lead);
    end
  endfunction

  // Last byte enables of a dense range; 0000 when it fits in one DW.
  function automatic [3:0] last_byte_enables;
    input [1:0] lead;
    input [12:0] length;
    reg [1:0] tail;
    begin
      tail = length[1:0] + lead;
      if (span_dwords(lead, length) == 11'd1) last_byte_enables = 4'b0000;
      else if (tail == 2'd0) last_byte_enables = 4'b1111;
      else last_byte_enables = ~(4'b1111 << tail);
    end
  endfunction

  // Memory request header for `length` bytes at `address` (a range inside one 4 KiB page). `attributes` = {IDO, RO, NS}.
  // Addresses below 4 GiB take the 3 DW form (PCIe Base, Memory Request header). TC 0, untranslated.
  function automatic [127:0] memory_request_header;
    input write;
    input [63:0] address;
    input [12:0] length;
    input [15:0] requester_id;
    input [7:0] tag;
    input [2:0] attributes;
    reg wide;
    reg [10:0] dwords;
    reg [31:0] dw0;
    reg [31:0] dw1;
    begin
      wide = address[63:32] != 32'd0;
      dwords = span_dwords(address[1:0], length);
      dw0 = {1'b0, write, wide, 5'b00000, 5'd0, attributes[2], 4'd0, attributes[1:0], 2'b00, dwords[9:0]};
      dw1 = {requester_id, tag, last_byte_enables(address[1:0], length), first_byte_enables(address[1:0], length)};
      if (wide) memory_request_header = {dw0, dw1, address[63:2], 2'b00};
      else memory_request_header = {dw0, dw1, address[31:2], 2'b00, 32'd0};
    end
  endfunction

endpackage
`default_nettype wire
