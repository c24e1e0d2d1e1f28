// Drives the DMA engine's descriptor port and takes its statuses (docs/interfaces.md section 7); both enter the event log.
module descriptor_port_initiator (
    input  bit           clk_i,
    input  bit           rst_i,
    input  bit [63:0]    cycle_i,
    output bit           descriptor_valid_o,
    input  logic         descriptor_ready_i,
    output bit [511:0]   descriptor_data_o,
    output bit [15:0]    descriptor_id_o,
    input  logic         status_valid_i,
    output bit           status_ready_o,
    input  logic [15:0]  status_id_i,
    input  logic [63:0]  status_cookie_i,
    input  logic [7:0]   status_code_i,
    input  logic [24:0]  status_bytes_i
);
  import "DPI-C" context function int sluicegate_descriptor_next(input longint cycle, output int id, output bit [511:0] descriptor);
  import "DPI-C" context function void sluicegate_descriptor_accepted(input longint cycle, input int id, input bit [511:0] descriptor);
  import "DPI-C" context function int sluicegate_status_ready(input longint cycle);
  import "DPI-C" context function void sluicegate_status(input longint cycle, input int id, input int code, input int bytes, input longint cookie);

  int id;
  bit [511:0] descriptor;

  always @(posedge clk_i) begin
    if (rst_i) begin
      descriptor_valid_o <= 1'b0;
      status_ready_o <= 1'b0;
    end else begin
      if (descriptor_valid_o && descriptor_ready_i)
        sluicegate_descriptor_accepted(cycle_i, 32'(descriptor_id_o), descriptor_data_o);
      if (!descriptor_valid_o || descriptor_ready_i) begin
        descriptor_valid_o <= 1'b0;
        if (sluicegate_descriptor_next(cycle_i, id, descriptor) != 0) begin
          descriptor_valid_o <= 1'b1;
          descriptor_id_o <= id[15:0];
          descriptor_data_o <= descriptor;
        end
      end
      if (status_valid_i && status_ready_o)
        sluicegate_status(cycle_i, 32'(status_id_i), 32'(status_code_i), 32'(status_bytes_i), status_cookie_i);
      status_ready_o <= sluicegate_status_ready(cycle_i) != 0;
    end
  end
endmodule
