`default_nettype none
// The functions of bus 0: host bridge 00:00.0 (type-0 header, read only) and root port 00:01.0 (pci_config_type1). One access
// per cycle; `data_o` and `found_o` are combinational, writes take effect in the next cycle.
module root_configuration #(
    // IDs of the host bridge. Linux routes peer-to-peer traffic through host bridges on a list of its own only; these are on it.
    parameter [15:0] HOST_BRIDGE_VENDOR_ID = 16'h8086,
    parameter [15:0] HOST_BRIDGE_DEVICE_ID = 16'h09A2
) (
    input  wire        clk_i,
    input  wire        rst_i,
    input  wire        link_up_i,

    // Access: target BDF, register number (byte address [11:2]), byte enables.
    input  wire        request_valid_i,
    input  wire        request_write_i,
    input  wire [15:0] request_target_i,
    input  wire [9:0]  request_register_i,
    input  wire [3:0]  request_enables_i,
    input  wire [31:0] request_data_i,
    // The function exists; contents of the register.
    output wire        found_o,
    output wire [31:0] data_o,

    // The root port refused a request from below (sets Unsupported Request Detected).
    input  wire        unsupported_i,

    // Programming of the root port: buses below, Command, windows in units of 1 MiB (both ends included).
    output wire [7:0]  secondary_bus_o,
    output wire [7:0]  subordinate_bus_o,
    output wire        memory_enable_o,
    output wire        bus_master_enable_o,
    output wire [11:0] memory_base_o,
    output wire [11:0] memory_limit_o,
    output wire [43:0] prefetchable_base_o,
    output wire [43:0] prefetchable_limit_o
);

  localparam [15:0] HOST_BRIDGE_ID = 16'h0000;
  localparam [15:0] ROOT_PORT_ID = 16'h0008;
  localparam [3:0] PORT_TYPE_ROOT = 4'd4;

  wire is_host_bridge = request_target_i == HOST_BRIDGE_ID;
  wire is_root_port = request_target_i == ROOT_PORT_ID;

  // Host bridge: identity and class code 06 00 00.
  logic [31:0] host_bridge_data;

  always_comb begin
    case (request_register_i)
      10'h000: host_bridge_data = {HOST_BRIDGE_DEVICE_ID, HOST_BRIDGE_VENDOR_ID};
      10'h002: host_bridge_data = 32'h0600_0001;
      default: host_bridge_data = 32'd0;
    endcase
  end

  wire [31:0] root_port_data;
  wire [15:0] unused_id;
  wire [7:0]  unused_primary_bus;
  wire [2:0]  unused_max_payload_size;
  wire        unused_atomic_egress_block;
  wire [6:0]  unused_acs_control;
  wire        unused_acs_vector;

  pci_config_type1 #(
      .PORT_TYPE(PORT_TYPE_ROOT)
  ) u_root_port (
      .clk_i                (clk_i),
      .rst_i                (rst_i),
      .cfg_valid_i          (request_valid_i && is_root_port),
      .cfg_write_i          (request_write_i),
      .cfg_register_i       (request_register_i),
      .cfg_enables_i        (request_enables_i),
      .cfg_wdata_i          (request_data_i),
      .cfg_target_i         (request_target_i),
      .cfg_rdata_o          (root_port_data),
      .link_up_i            (link_up_i),
      .set_correctable_i    (1'b0),
      .set_nonfatal_i       (1'b0),
      .set_unsupported_i    (unsupported_i),
      .set_target_abort_i   (1'b0),
      .id_o                 (unused_id),
      .primary_bus_o        (unused_primary_bus),
      .secondary_bus_o      (secondary_bus_o),
      .subordinate_bus_o    (subordinate_bus_o),
      .memory_enable_o      (memory_enable_o),
      .bus_master_enable_o  (bus_master_enable_o),
      .memory_base_o        (memory_base_o),
      .memory_limit_o       (memory_limit_o),
      .prefetchable_base_o  (prefetchable_base_o),
      .prefetchable_limit_o (prefetchable_limit_o),
      .max_payload_size_o   (unused_max_payload_size),
      .atomic_egress_block_o(unused_atomic_egress_block),
      .acs_control_o        (unused_acs_control),
      .acs_vector_o         (unused_acs_vector)
  );

  assign found_o = is_host_bridge || is_root_port;
  assign data_o = is_root_port ? root_port_data : host_bridge_data;

endmodule
`default_nettype wire
