`default_nettype none
// Configuration space of one PCI bridge function: type-1 header, PCI Express capability (at 0x40) and, for ports that
// have one, the ACS extended capability (at 0x100). Serves root ports and switch ports.
// One access per cycle: `cfg_rdata_o` is combinational, writes take effect in the next cycle. Registers that do not exist read 0.
// Not implemented, reads as such: I/O window, expansion ROM, interrupts, slot, AER.
module pci_config_type1 #(
    // IDs and revision.
    parameter [15:0] VENDOR_ID = 16'h1234,
    parameter [15:0] DEVICE_ID = 16'h5347,
    parameter [7:0] REVISION_ID = 8'h01,
    // Device/Port Type of the PCI Express capability: 4 root port, 5 switch upstream port, 6 switch downstream port.
    parameter [3:0] PORT_TYPE = 4'd6,
    // Port Number in Link Capabilities.
    parameter [7:0] PORT_NUMBER = 8'd0,
    // Largest payload: code 0..5 = 128..4096 bytes.
    parameter [2:0] MAX_PAYLOAD_SUPPORTED = 3'd2,
    // Read Completion Boundary in Link Control: 1 = 128 bytes (root ports; 0 otherwise).
    parameter bit READ_COMPLETION_BOUNDARY_128 = 1'b0,
    // Bits of the ACS Egress Control Vector, 1..32, bit n = port number n; 0 = no ACS capability.
    parameter int ACS_VECTOR_SIZE = 0,
    // Derived: width of the vector's port.
    parameter int VECTOR_W = ACS_VECTOR_SIZE > 0 ? ACS_VECTOR_SIZE : 1
) (
    input  wire                clk_i,
    input  wire                rst_i,

    // Configuration access: register number (byte address [11:2]), byte enables, and the bus, device and function number that
    // the request named; a write captures them as the ID of this function.
    input  wire                cfg_valid_i,
    input  wire                cfg_write_i,
    input  wire [9:0]          cfg_register_i,
    input  wire [3:0]          cfg_enables_i,
    input  wire [31:0]         cfg_wdata_i,
    input  wire [15:0]         cfg_target_i,
    output wire [31:0]         cfg_rdata_o,

    // Data link active on the secondary side (reported by ports of type 4 and 6).
    input  wire                link_up_i,

    // Strobes that set Device Status bits (correctable, non-fatal, unsupported request) and Signaled Target Abort of the secondary status.
    input  wire                set_correctable_i,
    input  wire                set_nonfatal_i,
    input  wire                set_unsupported_i,
    input  wire                set_target_abort_i,

    // Captured ID, bus numbers, Command.
    output wire [15:0]         id_o,
    output wire [7:0]          primary_bus_o,
    output wire [7:0]          secondary_bus_o,
    output wire [7:0]          subordinate_bus_o,
    output wire                memory_enable_o,
    output wire                bus_master_enable_o,

    // Windows, both ends included, in units of 1 MiB (address bits from 20 up); empty when base > limit.
    output wire [11:0]         memory_base_o,
    output wire [11:0]         memory_limit_o,
    output wire [43:0]         prefetchable_base_o,
    output wire [43:0]         prefetchable_limit_o,

    // Device Control and Device Control 2.
    output wire [2:0]          max_payload_size_o,
    output wire                atomic_egress_block_o,

    // ACS control {DT, EC, UF, CR, RR, TB, SV} and egress control vector.
    output wire [6:0]          acs_control_o,
    output wire [VECTOR_W-1:0] acs_vector_o
);

  localparam bit HAS_ACS = ACS_VECTOR_SIZE > 0;
  localparam bit IS_DOWNSTREAM = PORT_TYPE != 4'd5;

  // Register numbers.
  localparam [9:0] REG_ID = 10'h000;
  localparam [9:0] REG_COMMAND = 10'h001;
  localparam [9:0] REG_CLASS = 10'h002;
  localparam [9:0] REG_HEADER_TYPE = 10'h003;
  localparam [9:0] REG_BUS_NUMBERS = 10'h006;
  localparam [9:0] REG_SECONDARY_STATUS = 10'h007;
  localparam [9:0] REG_MEMORY = 10'h008;
  localparam [9:0] REG_PREFETCHABLE = 10'h009;
  localparam [9:0] REG_PREFETCHABLE_BASE_UPPER = 10'h00A;
  localparam [9:0] REG_PREFETCHABLE_LIMIT_UPPER = 10'h00B;
  localparam [9:0] REG_CAPABILITIES = 10'h00D;
  localparam [9:0] REG_BRIDGE_CONTROL = 10'h00F;
  localparam [9:0] REG_PCIE = 10'h010;
  localparam [9:0] REG_DEVICE_CAPABILITIES = 10'h011;
  localparam [9:0] REG_DEVICE_CONTROL = 10'h012;
  localparam [9:0] REG_LINK_CAPABILITIES = 10'h013;
  localparam [9:0] REG_LINK_CONTROL = 10'h014;
  localparam [9:0] REG_DEVICE_CAPABILITIES_2 = 10'h019;
  localparam [9:0] REG_DEVICE_CONTROL_2 = 10'h01A;
  localparam [9:0] REG_LINK_CAPABILITIES_2 = 10'h01B;
  localparam [9:0] REG_LINK_CONTROL_2 = 10'h01C;
  localparam [9:0] REG_ACS = 10'h040;
  localparam [9:0] REG_ACS_CONTROL = 10'h041;
  localparam [9:0] REG_ACS_VECTOR = 10'h042;

  // Bits that software can write.
  localparam [31:0] COMMAND_MASK = 32'h0000_0547;  // INTx disable, SERR, parity, BME, MSE, I/O enable
  localparam [31:0] BRIDGE_CONTROL_MASK = 32'h005B_00FF;  // reset, master abort mode, VGA 16 bit, ISA, SERR, parity; interrupt line
  localparam [31:0] DEVICE_CONTROL_MASK = 32'h0000_71EF;  // MRRS, extended tag, MPS, error reporting
  localparam [31:0] LINK_CONTROL_MASK = IS_DOWNSTREAM ? 32'h0000_0053 : 32'h0000_0043;  // common clock, link disable, ASPM
  localparam [31:0] DEVICE_CONTROL_2_MASK = 32'h0000_0080;  // AtomicOp egress blocking
  localparam [31:0] ACS_VECTOR_MASK = HAS_ACS ? ~(32'hFFFF_FFFE << (VECTOR_W - 1)) : 32'd0;

  // Bytes that are written, and the status bits 19:16 and 27 that are written with 1.
  logic [31:0] enable_mask;
  logic [3:0]  device_status_clear;
  logic        target_abort_clear;
  logic        write;

  // 32-bit words as software sees them, read-only and status bits left out.
  logic [31:0] command_d, command_q;
  logic [31:0] bus_numbers_d, bus_numbers_q;
  logic [31:0] memory_d, memory_q;
  logic [31:0] prefetchable_d, prefetchable_q;
  logic [31:0] base_upper_d, base_upper_q;
  logic [31:0] limit_upper_d, limit_upper_q;
  logic [31:0] bridge_control_d, bridge_control_q;
  logic [31:0] device_control_d, device_control_q;
  logic [31:0] link_control_d, link_control_q;
  logic [31:0] device_control_2_d, device_control_2_q;
  logic [31:0] acs_control_d, acs_control_q;
  logic [31:0] acs_vector_d, acs_vector_q;
  logic [3:0]  device_status_d, device_status_q;
  logic        target_abort_d, target_abort_q;
  logic [15:0] id_d, id_q;
  logic [31:0] rdata;

  assign write = cfg_valid_i && cfg_write_i;
  assign enable_mask = {{8{cfg_enables_i[3]}}, {8{cfg_enables_i[2]}}, {8{cfg_enables_i[1]}}, {8{cfg_enables_i[0]}}};
  assign device_status_clear = cfg_enables_i[2] ? cfg_wdata_i[19:16] : 4'd0;
  assign target_abort_clear = cfg_enables_i[3] && cfg_wdata_i[27];

  // New contents of a word: written bytes where `mask` allows, the rest as before.
  function automatic [31:0] merge(input [31:0] old, input [31:0] data, input [31:0] mask);
    begin
      merge = (old & ~mask) | (data & mask);
    end
  endfunction

  always_comb begin
    command_d = command_q;
    bus_numbers_d = bus_numbers_q;
    memory_d = memory_q;
    prefetchable_d = prefetchable_q;
    base_upper_d = base_upper_q;
    limit_upper_d = limit_upper_q;
    bridge_control_d = bridge_control_q;
    device_control_d = device_control_q;
    link_control_d = link_control_q;
    device_control_2_d = device_control_2_q;
    acs_control_d = acs_control_q;
    acs_vector_d = acs_vector_q;
    device_status_d = device_status_q;
    target_abort_d = target_abort_q;
    id_d = id_q;
    if (write) begin
      id_d = cfg_target_i;
      case (cfg_register_i)
        REG_COMMAND: command_d = merge(command_q, cfg_wdata_i, enable_mask & COMMAND_MASK);
        REG_BUS_NUMBERS: bus_numbers_d = merge(bus_numbers_q, cfg_wdata_i, enable_mask & 32'h00FF_FFFF);
        REG_SECONDARY_STATUS: if (target_abort_clear) target_abort_d = 1'b0;
        REG_MEMORY: memory_d = merge(memory_q, cfg_wdata_i, enable_mask & 32'hFFF0_FFF0);
        REG_PREFETCHABLE: prefetchable_d = merge(prefetchable_q, cfg_wdata_i, enable_mask & 32'hFFF0_FFF0);
        REG_PREFETCHABLE_BASE_UPPER: base_upper_d = merge(base_upper_q, cfg_wdata_i, enable_mask);
        REG_PREFETCHABLE_LIMIT_UPPER: limit_upper_d = merge(limit_upper_q, cfg_wdata_i, enable_mask);
        REG_BRIDGE_CONTROL: bridge_control_d = merge(bridge_control_q, cfg_wdata_i, enable_mask & BRIDGE_CONTROL_MASK);
        REG_DEVICE_CONTROL: begin
          device_control_d = merge(device_control_q, cfg_wdata_i, enable_mask & DEVICE_CONTROL_MASK);
          device_status_d = device_status_q & ~device_status_clear;
        end
        REG_LINK_CONTROL: link_control_d = merge(link_control_q, cfg_wdata_i, enable_mask & LINK_CONTROL_MASK);
        REG_DEVICE_CONTROL_2: device_control_2_d = merge(device_control_2_q, cfg_wdata_i, enable_mask & DEVICE_CONTROL_2_MASK);
        REG_ACS_CONTROL: if (HAS_ACS) acs_control_d = merge(acs_control_q, cfg_wdata_i, enable_mask & 32'h007F_0000);
        REG_ACS_VECTOR: acs_vector_d = merge(acs_vector_q, cfg_wdata_i, enable_mask & ACS_VECTOR_MASK);
        default: ;
      endcase
    end
    if (set_correctable_i) device_status_d[0] = 1'b1;
    if (set_nonfatal_i) device_status_d[1] = 1'b1;
    if (set_unsupported_i) device_status_d[3] = 1'b1;
    if (set_target_abort_i) target_abort_d = 1'b1;
  end

  always_comb begin
    case (cfg_register_i)
      REG_ID: rdata = {DEVICE_ID, VENDOR_ID};
      REG_COMMAND: rdata = command_q | 32'h0010_0000;  // capabilities list
      REG_CLASS: rdata = {24'h060400, REVISION_ID};
      REG_HEADER_TYPE: rdata = 32'h0001_0000;
      REG_BUS_NUMBERS: rdata = bus_numbers_q;
      REG_SECONDARY_STATUS: rdata = {4'd0, target_abort_q, 27'd0};
      REG_MEMORY: rdata = memory_q;
      REG_PREFETCHABLE: rdata = prefetchable_q | 32'h0001_0001;  // 64-bit window
      REG_PREFETCHABLE_BASE_UPPER: rdata = base_upper_q;
      REG_PREFETCHABLE_LIMIT_UPPER: rdata = limit_upper_q;
      REG_CAPABILITIES: rdata = 32'h0000_0040;
      REG_BRIDGE_CONTROL: rdata = bridge_control_q;
      REG_PCIE: rdata = {8'd0, PORT_TYPE, 4'd2, 8'h00, 8'h10};
      REG_DEVICE_CAPABILITIES: rdata = {16'd0, 1'b1, 9'd0, 1'b1, 2'd0, MAX_PAYLOAD_SUPPORTED};  // role-based errors, extended tag
      REG_DEVICE_CONTROL: rdata = {12'd0, device_status_q, device_control_q[15:0]};
      REG_LINK_CAPABILITIES: rdata = {PORT_NUMBER, 1'b0, 1'b1, 1'b0, IS_DOWNSTREAM, 10'd0, 6'd16, 4'd4};  // x16, 16 GT/s
      REG_LINK_CONTROL:
      rdata = {2'd0, IS_DOWNSTREAM && link_up_i, 3'd0, 6'd16, 4'd4, link_control_q[15:4], READ_COMPLETION_BOUNDARY_128,
               link_control_q[2:0]};
      REG_DEVICE_CAPABILITIES_2: rdata = 32'h0060_0040;  // one end-end prefix, AtomicOp routing
      REG_DEVICE_CONTROL_2: rdata = device_control_2_q;
      REG_LINK_CAPABILITIES_2: rdata = 32'h0000_001E;  // 2.5 to 16 GT/s
      REG_LINK_CONTROL_2: rdata = 32'h0000_0004;
      REG_ACS: rdata = HAS_ACS ? 32'h0001_000D : 32'd0;
      REG_ACS_CONTROL: rdata = HAS_ACS ? acs_control_q | {16'd0, 8'(ACS_VECTOR_SIZE), 8'h7F} : 32'd0;
      REG_ACS_VECTOR: rdata = acs_vector_q;
      default: rdata = 32'd0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    command_q <= command_d;
    bus_numbers_q <= bus_numbers_d;
    memory_q <= memory_d;
    prefetchable_q <= prefetchable_d;
    base_upper_q <= base_upper_d;
    limit_upper_q <= limit_upper_d;
    bridge_control_q <= bridge_control_d;
    device_control_q <= device_control_d;
    link_control_q <= link_control_d;
    device_control_2_q <= device_control_2_d;
    acs_control_q <= acs_control_d;
    acs_vector_q <= acs_vector_d;
    device_status_q <= device_status_d;
    target_abort_q <= target_abort_d;
    id_q <= id_d;
    if (rst_i) begin
      command_q <= 32'd0;
      bus_numbers_q <= 32'd0;
      memory_q <= 32'd0;
      prefetchable_q <= 32'd0;
      base_upper_q <= 32'd0;
      limit_upper_q <= 32'd0;
      bridge_control_q <= 32'd0;
      device_control_q <= 32'h0000_2000;  // MRRS 512
      link_control_q <= 32'd0;
      device_control_2_q <= 32'd0;
      acs_control_q <= 32'd0;
      acs_vector_q <= 32'd0;
      device_status_q <= 4'd0;
      target_abort_q <= 1'b0;
      id_q <= 16'd0;
    end
  end

  assign cfg_rdata_o = rdata;
  assign id_o = id_q;
  assign primary_bus_o = bus_numbers_q[7:0];
  assign secondary_bus_o = bus_numbers_q[15:8];
  assign subordinate_bus_o = bus_numbers_q[23:16];
  assign memory_enable_o = command_q[1];
  assign bus_master_enable_o = command_q[2];
  assign memory_base_o = memory_q[15:4];
  assign memory_limit_o = memory_q[31:20];
  assign prefetchable_base_o = {base_upper_q, prefetchable_q[15:4]};
  assign prefetchable_limit_o = {limit_upper_q, prefetchable_q[31:20]};
  assign max_payload_size_o = device_control_q[7:5];
  assign atomic_egress_block_o = device_control_2_q[7];
  assign acs_control_o = acs_control_q[22:16];
  assign acs_vector_o = acs_vector_q[VECTOR_W-1:0];

  generate
    if (ACS_VECTOR_SIZE < 0 || ACS_VECTOR_SIZE > 32) begin : g_check_vector
      initial $fatal(1, "pci_config_type1: ACS_VECTOR_SIZE must be 0 (no ACS) or 1..32");
    end
  endgenerate

endmodule
`default_nettype wire
