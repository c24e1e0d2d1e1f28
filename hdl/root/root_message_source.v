`default_nettype none
// Messages of the IOMMU as TLPs towards the devices (PCIe ATS: Invalidate Request; Page Request Services: PRG Response): routed by ID, from
// the root port, with a PASID prefix where there is a PASID, one beat each. A message to a bus that is not below the root port, or
// to another segment, vanishes. Combinational.
module root_message_source #(
    // Bits of a beat: 128, 256 or 512.
    parameter int DATA_W = 256,
    // Requester ID of the messages, to which devices complete.
    parameter [15:0] ROOT_PORT_ID = 16'h0008,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    // Buses below the root port.
    input  wire [7:0]         secondary_bus_i,
    input  wire [7:0]         subordinate_bus_i,

    // Message (docs/interfaces.md section 6).
    input  wire               message_valid_i,
    output wire               message_ready_o,
    input  wire               message_invalidate_i,
    input  wire               message_dsv_i,
    input  wire [7:0]         message_dseg_i,
    input  wire [15:0]        message_rid_i,
    input  wire               message_pv_i,
    input  wire [19:0]        message_pid_i,
    input  wire [4:0]         message_itag_i,
    input  wire [63:0]        message_payload_i,

    // Posted stream, without `err`.
    output wire               posted_valid_o,
    input  wire               posted_ready_i,
    output wire               posted_sop_o,
    output wire               posted_eop_o,
    output wire [DATA_W-1:0]  posted_data_o,
    output wire [EMPTY_W-1:0] posted_empty_o,
    output wire [127:0]       posted_hdr_o,
    output wire [31:0]        posted_prefix_o,
    output wire               posted_prefix_valid_o,

    // Statistics: a message had no place to go.
    output wire               stat_message_dropped_o
);

  localparam [7:0] MSG_BY_ID = 8'h32;
  localparam [7:0] MSGD_BY_ID = 8'h72;
  localparam [7:0] CODE_INVALIDATE_REQUEST = 8'h01;
  localparam [7:0] CODE_GROUP_RESPONSE = 8'h05;
  localparam [7:0] PASID_PREFIX = 8'h91;

  wire [7:0] bus = message_rid_i[15:8];
  wire       below = bus >= secondary_bus_i && bus <= subordinate_bus_i && !(message_dsv_i && message_dseg_i != 8'd0);

  assign message_ready_o = posted_ready_i || !below;
  assign posted_valid_o = message_valid_i && below;
  assign posted_sop_o = 1'b1;
  assign posted_eop_o = 1'b1;
  assign posted_data_o = DATA_W'({tlp_pkg::reversed_dword(message_payload_i[31:0]), tlp_pkg::reversed_dword(message_payload_i[63:32])});
  assign posted_empty_o = message_invalidate_i ? EMPTY_W'(DATA_W / 32 - 2) : '0;
  assign posted_hdr_o = message_invalidate_i
      ? {MSGD_BY_ID, 24'd2, ROOT_PORT_ID, 3'd0, message_itag_i, CODE_INVALIDATE_REQUEST, message_rid_i, 16'd0, 32'd0}
      : {MSG_BY_ID, 24'd0, ROOT_PORT_ID, 8'd0, CODE_GROUP_RESPONSE, message_rid_i, message_payload_i[47:0]};
  assign posted_prefix_o = {PASID_PREFIX, 4'd0, message_pid_i};
  assign posted_prefix_valid_o = message_pv_i;
  assign stat_message_dropped_o = message_valid_i && !below;

endmodule
`default_nettype wire
