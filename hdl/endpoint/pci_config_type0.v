`default_nettype none
// Configuration space of the endpoint's function: type-0 header, PCI Express capability (0x40), MSI-X capability (0x80), PASID extended
// capability (0x100). One access per cycle: cfg_rdata_o is combinational, writes take effect in the next cycle. Registers that do not
// exist read 0.
// Not implemented, reads as such: I/O, expansion ROM, INTx, power management, AER, function level reset.
module pci_config_type0 #(
  // IDs, revision, class code
  parameter [15:0] VENDOR_ID = 16'h1234,
  parameter [15:0] DEVICE_ID = 16'h5345,
  parameter [7:0] REVISION_ID = 8'h01,
  parameter [23:0] CLASS_CODE = 24'h088000,
  // Largest payload: code 0..5 = 128..4096 bytes
  parameter [2:0] MAX_PAYLOAD_SUPPORTED = 3'd2,
  // Size of BAR2 in bytes, a power of two of at least 1 MiB
  parameter int LOCAL_MEMORY_BYTES = 2097152
) (
  input  wire         clk_i,
  input  wire         rst_i,

  // Features that straps leave: {extended tags, no snoop, ID-based ordering, relaxed ordering, PASID}
  input  wire  [4:0]  features_i,

  // Configuration access: register number (byte address [11:2]), byte enables, and the bus, device and function number that
  // the request named; a write captures them as the ID of this function
  input  wire         cfg_valid_i,
  input  wire         cfg_write_i,
  input  wire  [9:0]  cfg_register_i,
  input  wire  [3:0]  cfg_enables_i,
  input  wire  [31:0] cfg_wdata_i,
  input  wire  [15:0] cfg_target_i,
  output logic [31:0] cfg_rdata_o,

  // Strobes that set Device Status bits; transactions pending
  input  wire         set_correctable_i,
  input  wire         set_nonfatal_i,
  input  wire         set_unsupported_i,
  input  wire         transactions_pending_i,

  // Captured ID; Command
  output logic [15:0] id_o,
  output logic        memory_enable_o,
  output logic        bus_master_enable_o,

  // Bases of BAR0 (16 KiB) and BAR2
  output logic [31:0] bar0_o,
  output logic [63:0] bar2_o,

  // Device Control, Device Control 2
  output logic [2:0]  max_payload_o,
  output logic [2:0]  max_read_request_o,
  output logic        extended_tag_enable_o,
  output logic        relaxed_ordering_enable_o,
  output logic        no_snoop_enable_o,
  output logic        id_ordering_enable_o,
  output logic        completion_timeout_disable_o,

  // MSI-X control; PASID control {privileged, execute, PASID}
  output logic        msix_enable_o,
  output logic        msix_mask_o,
  output logic [2:0]  pasid_enable_o
);

  localparam [31:0] BAR0_MASK = 32'hFFFF_C000;
  localparam [63:0] BAR2_MASK = ~(64'(LOCAL_MEMORY_BYTES) - 64'd1);

  localparam [9:0] REG_ID = 10'h000;
  localparam [9:0] REG_COMMAND = 10'h001;
  localparam [9:0] REG_CLASS = 10'h002;
  localparam [9:0] REG_BAR0 = 10'h004;
  localparam [9:0] REG_BAR2 = 10'h006;
  localparam [9:0] REG_BAR2_UPPER = 10'h007;
  localparam [9:0] REG_SUBSYSTEM = 10'h00B;
  localparam [9:0] REG_CAPABILITIES = 10'h00D;
  localparam [9:0] REG_INTERRUPT_LINE = 10'h00F;
  localparam [9:0] REG_PCIE = 10'h010;
  localparam [9:0] REG_DEVICE_CAPABILITIES = 10'h011;
  localparam [9:0] REG_DEVICE_CONTROL = 10'h012;
  localparam [9:0] REG_LINK_CAPABILITIES = 10'h013;
  localparam [9:0] REG_LINK_CONTROL = 10'h014;
  localparam [9:0] REG_DEVICE_CAPABILITIES_2 = 10'h019;
  localparam [9:0] REG_DEVICE_CONTROL_2 = 10'h01A;
  localparam [9:0] REG_MSIX = 10'h020;
  localparam [9:0] REG_MSIX_TABLE = 10'h021;
  localparam [9:0] REG_MSIX_PBA = 10'h022;
  localparam [9:0] REG_PASID = 10'h040;
  localparam [9:0] REG_PASID_CONTROL = 10'h041;

  localparam [31:0] COMMAND_MASK = 32'h0000_0546;  // INTx disable, SERR, parity, BME, MSE
  localparam [31:0] LINK_CONTROL_MASK = 32'h0000_00CB;  // extended synch, common clock, RCB, ASPM

  logic [31:0] command_q;
  logic [31:0] bar0_q;
  logic [63:0] bar2_q;
  logic [7:0]  interrupt_line_q;
  logic [31:0] device_control_q;
  logic [31:0] link_control_q;
  logic [31:0] device_control_2_q;
  logic [31:0] msix_q;
  logic [31:0] pasid_q;
  logic [2:0]  device_status_q;
  logic [31:0] enable_mask;
  logic [31:0] device_control_mask;
  logic [31:0] device_control_2_mask;
  logic [31:0] pasid_mask;
  logic        feature_pasid;

  always_comb begin
    feature_pasid = features_i[0];
    enable_mask = {{8{cfg_enables_i[3]}}, {8{cfg_enables_i[2]}}, {8{cfg_enables_i[1]}}, {8{cfg_enables_i[0]}}};
    // MRRS, no snoop, extended tag, MPS, RO, error reporting; bits of absent features stay 0.
    device_control_mask = {17'd0, 3'b111, features_i[3], 2'b00, features_i[4], 3'b111, features_i[1], 4'b1111};
    device_control_2_mask = {22'd0, 1'b0, features_i[2], 8'h10};
    pasid_mask = feature_pasid ? 32'h0007_0000 : 32'd0;
  end

  // New contents of a word: written bytes where `mask` allows, the rest as before.
  function automatic [31:0] merge;
    input [31:0] old;
    input [31:0] data;
    input [31:0] mask;
    begin
      merge = (old & ~mask) | (data & mask);
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      command_q <= 32'd0;
      bar0_q <= 32'd0;
      bar2_q <= 64'd0;
      interrupt_line_q <= 8'd0;
      device_control_q <= {17'd0, 3'd2, features_i[3], 6'd0, features_i[1], 4'd0};
      link_control_q <= 32'd0;
      device_control_2_q <= 32'd0;
      msix_q <= 32'd0;
      pasid_q <= 32'd0;
      device_status_q <= 3'd0;
      id_o <= 16'd0;
    end else begin
      if (cfg_valid_i && cfg_write_i) begin
        id_o <= cfg_target_i;
        case (cfg_register_i)
          REG_COMMAND: command_q <= merge(command_q, cfg_wdata_i, enable_mask & COMMAND_MASK);
          REG_BAR0: bar0_q <= merge(bar0_q, cfg_wdata_i, enable_mask & BAR0_MASK);
          REG_BAR2: bar2_q[31:0] <= merge(bar2_q[31:0], cfg_wdata_i, enable_mask & BAR2_MASK[31:0]);
          REG_BAR2_UPPER: bar2_q[63:32] <= merge(bar2_q[63:32], cfg_wdata_i, enable_mask & BAR2_MASK[63:32]);
          REG_INTERRUPT_LINE: if (cfg_enables_i[0]) interrupt_line_q <= cfg_wdata_i[7:0];
          REG_DEVICE_CONTROL: device_control_q <= merge(device_control_q, cfg_wdata_i, enable_mask & device_control_mask);
          REG_LINK_CONTROL: link_control_q <= merge(link_control_q, cfg_wdata_i, enable_mask & LINK_CONTROL_MASK);
          REG_DEVICE_CONTROL_2:
            device_control_2_q <= merge(device_control_2_q, cfg_wdata_i, enable_mask & device_control_2_mask);
          REG_MSIX: msix_q <= merge(msix_q, cfg_wdata_i, enable_mask & 32'hC000_0000);
          REG_PASID_CONTROL: pasid_q <= merge(pasid_q, cfg_wdata_i, enable_mask & pasid_mask);
          default: ;
        endcase
      end
      // Device Status is cleared by writing 1.
      if (cfg_valid_i && cfg_write_i && cfg_register_i == REG_DEVICE_CONTROL && cfg_enables_i[2])
        device_status_q <= (device_status_q & ~{cfg_wdata_i[19], cfg_wdata_i[17:16]}) |
            {set_unsupported_i, set_nonfatal_i, set_correctable_i};
      else device_status_q <= device_status_q | {set_unsupported_i, set_nonfatal_i, set_correctable_i};
    end
  end

  always_comb begin
    case (cfg_register_i)
      REG_ID: cfg_rdata_o = {DEVICE_ID, VENDOR_ID};
      REG_COMMAND: cfg_rdata_o = command_q | 32'h0010_0000;  // capabilities list
      REG_CLASS: cfg_rdata_o = {CLASS_CODE, REVISION_ID};
      REG_BAR0: cfg_rdata_o = bar0_q;
      REG_BAR2: cfg_rdata_o = bar2_q[31:0] | 32'h0000_000C;  // 64 bits, prefetchable
      REG_BAR2_UPPER: cfg_rdata_o = bar2_q[63:32];
      REG_SUBSYSTEM: cfg_rdata_o = {DEVICE_ID, VENDOR_ID};
      REG_CAPABILITIES: cfg_rdata_o = 32'h0000_0040;
      REG_INTERRUPT_LINE: cfg_rdata_o = {24'd0, interrupt_line_q};
      REG_PCIE: cfg_rdata_o = 32'h0002_8010;  // version 2, endpoint; next 0x80
      REG_DEVICE_CAPABILITIES: cfg_rdata_o = {16'd0, 1'b1, 9'd0, features_i[4], 2'd0, MAX_PAYLOAD_SUPPORTED};
      REG_DEVICE_CONTROL:
        cfg_rdata_o = device_control_q |
            {10'd0, transactions_pending_i, 1'b0, device_status_q[2], 1'b0, device_status_q[1:0], 16'd0};
      REG_LINK_CAPABILITIES: cfg_rdata_o = 32'h0000_0104;  // x16, 16 GT/s
      REG_LINK_CONTROL: cfg_rdata_o = link_control_q | 32'h0104_0000;  // the same, negotiated
      // Completion timeout disable; one end-end prefix when PASID is there.
      REG_DEVICE_CAPABILITIES_2: cfg_rdata_o = {8'd0, 1'b0, feature_pasid, feature_pasid, 21'h00_0010};
      REG_DEVICE_CONTROL_2: cfg_rdata_o = device_control_2_q;
      REG_MSIX: cfg_rdata_o = msix_q | 32'h0007_0011;  // 8 vectors, last capability
      REG_MSIX_TABLE: cfg_rdata_o = 32'h0000_2000;
      REG_MSIX_PBA: cfg_rdata_o = 32'h0000_3000;
      REG_PASID: cfg_rdata_o = feature_pasid ? 32'h0001_001B : 32'd0;
      REG_PASID_CONTROL: cfg_rdata_o = feature_pasid ? pasid_q | 32'h0000_1406 : 32'd0;  // 20 bits, execute, privileged
      default: cfg_rdata_o = 32'd0;
    endcase
  end

  always_comb begin
    memory_enable_o = command_q[1];
    bus_master_enable_o = command_q[2];
    bar0_o = bar0_q;
    bar2_o = bar2_q;
    max_payload_o = device_control_q[7:5];
    max_read_request_o = device_control_q[14:12];
    relaxed_ordering_enable_o = device_control_q[4];
    extended_tag_enable_o = device_control_q[8];
    no_snoop_enable_o = device_control_q[11];
    id_ordering_enable_o = device_control_2_q[8];
    completion_timeout_disable_o = device_control_2_q[4];
    msix_enable_o = msix_q[31];
    msix_mask_o = msix_q[30];
    pasid_enable_o = {pasid_q[18], pasid_q[17], pasid_q[16]};
  end

  generate
    if (LOCAL_MEMORY_BYTES < 1048576 || (LOCAL_MEMORY_BYTES & (LOCAL_MEMORY_BYTES - 1)) != 0) begin : g_check_size
      initial $fatal(1, "pci_config_type0: LOCAL_MEMORY_BYTES must be a power of two of at least 1 MiB");
    end
  endgenerate

endmodule
`default_nettype wire
