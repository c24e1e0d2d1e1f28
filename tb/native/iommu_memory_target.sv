// Host memory on the IOMMU's memory port (docs/interfaces.md section 4).
module iommu_memory_target #(
    parameter int ID_W = 8   // width of the request id
) (
    input  bit            clk_i,
    input  bit            rst_i,
    input  bit [63:0]     cycle_i,
    input  logic          req_valid_i,
    output bit            req_ready_o,
    input  logic [ID_W-1:0] req_id_i,
    input  logic [1:0]    req_op_i,
    input  logic [55:0]   req_addr_i,
    input  logic [6:0]    req_size_i,
    input  logic [511:0]  req_wdata_i,
    input  logic [63:0]   req_strobe_i,
    input  logic [23:0]   req_qos_i,
    input  logic [1:0]    req_pbmt_i,
    output bit            rsp_valid_o,
    input  logic          rsp_ready_i,
    output bit [ID_W-1:0] rsp_id_o,
    output bit [511:0]    rsp_data_o,
    output bit [7:0]      rsp_err_o,
    output bit [7:0]      rsp_poison_o
);
  import "DPI-C" context function int sluicegate_memory_ready(input longint cycle);
  import "DPI-C" context function void sluicegate_memory_request(
      input longint cycle, input int id, input int operation, input longint address, input int size, input bit [511:0] data, input longint strobe,
      input int attributes);
  import "DPI-C" context function int sluicegate_memory_response(
      input longint cycle, output int id, output bit [511:0] data, output int error, output int poison);

  int id;
  bit [511:0] data;
  int error;
  int poison;

  always @(posedge clk_i) begin
    if (rst_i) begin
      req_ready_o <= 1'b0;
      rsp_valid_o <= 1'b0;
    end else begin
      if (req_valid_i && req_ready_o)
        sluicegate_memory_request(cycle_i, 32'(req_id_i), 32'(req_op_i), 64'(req_addr_i), 32'(req_size_i), req_wdata_i, req_strobe_i,
                                  {6'd0, req_pbmt_i, req_qos_i});
      req_ready_o <= sluicegate_memory_ready(cycle_i) != 0;
      if (!rsp_valid_o || rsp_ready_i) begin
        rsp_valid_o <= 1'b0;
        if (sluicegate_memory_response(cycle_i, id, data, error, poison) != 0) begin
          rsp_valid_o <= 1'b1;
          rsp_id_o <= id[ID_W-1:0];
          rsp_data_o <= data;
          rsp_err_o <= error[7:0];
          rsp_poison_o <= poison[7:0];
        end
      end
    end
  end
endmodule
